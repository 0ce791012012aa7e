// Package thread implements package threadpin: workers and the hop. It also has
// what only internal/pinned, internal/face and overlay need: tasks that their
// caller may leave, branches of a worker, and active waiting for something other
// than a call.
package thread
