package warnings

import (
	"runtime"
	"strconv"
)

// A Site is a line of the application. It takes 8 bytes and is cheap to copy and
// keep; file and line are looked up on demand. The zero Site is unknown.
type Site struct{ pc uintptr }

// Caller returns the line of the application that led to this call, for a
// warning that may be issued later. It walks the stack, which takes up to about a
// microsecond, and allocates nothing at a line seen before. It returns the zero Site
// if no frame of the application is on the stack, as in a goroutine that this module
// started.
func Caller() Site {
	var space [16]uintptr
	pcs := space[:6] // it is usually among the first, and each one takes time
	for skip := 2; skip < 500; {
		n := runtime.Callers(skip, pcs)
		for _, pc := range pcs[:n] {
			if frameOf(pc).app {
				return Site{pc}
			}
		}
		if n < len(pcs) {
			break
		}
		skip += n
		pcs = space[:]
	}
	return Site{}
}

// IsZero reports whether the site is unknown.
func (s Site) IsZero() bool { return s.pc == 0 }

// File returns the file's name as the compiler recorded it, or "" if unknown.
func (s Site) File() string { return frameOf(s.pc).file }

// Line returns the line number, or 0 if unknown.
func (s Site) Line() int { return frameOf(s.pc).line }

// Function returns the function's name with its package path, or "" if unknown.
func (s Site) Function() string { return frameOf(s.pc).function }

// Package returns the import path of the function's package, or "" if unknown. It
// is "main" for a program, and ends in "_test" for an external test package.
func (s Site) Package() string { return frameOf(s.pc).pkg }

// String returns "file:line", or "unknown".
func (s Site) String() string {
	if s.IsZero() {
		return "unknown"
	}
	return s.File() + ":" + strconv.Itoa(s.Line())
}
