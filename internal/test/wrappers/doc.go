// Package wrappers tests libraries that wrap drivers, to trace or to log, together with the
// driver aio. It is a module of its own, for their dependencies.
package wrappers
