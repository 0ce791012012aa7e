// Package thread is what package threadpin is made of: workers and the hop.
// Besides the public calls it has what internal/pinned, internal/face and
// overlay need: tasks that their caller may leave, branches of a worker, and
// active waiting for something else than a call.
package thread
