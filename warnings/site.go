package warnings

import (
	"strconv"
	"sync/atomic"
)

// A Site is a line of the application. It takes 8 bytes and is cheap to pass and
// to keep; file and line are looked up when asked for. The zero Site is unknown.
type Site struct{ pc uintptr }

// sitesOff is set while KeepSites(false) holds.
var sitesOff atomic.Bool

// Caller returns the line of the application that led to this call, for a
// warning that may come later. It costs a look at the stack, about a microsecond
// or less, and allocates nothing at a line seen before. It returns the zero Site
// after KeepSites(false), and if there is no frame of the application's on the stack,
// as in a goroutine of this module's own.
func Caller() Site {
	if sitesOff.Load() {
		return Site{}
	}
	return caller()
}

// KeepSites turns Caller off, for programs that open more than they like to pay
// that look at the stack for, or on again, as it is at first. With it off, a
// ResourceWarning cannot tell where the resource was opened. A warning about the
// call in progress still has its site.
func KeepSites(on bool) { sitesOff.Store(!on) }

// IsZero reports whether the site is unknown.
func (s Site) IsZero() bool { return s.pc == 0 }

// File returns the name of the file, as the compiler recorded it; "" if unknown.
func (s Site) File() string { return s.frame().file }

// Line returns the number of the line; 0 if unknown.
func (s Site) Line() int { return s.frame().line }

// Function returns the function's full name, package path first; "" if unknown.
func (s Site) Function() string { return s.frame().function }

// Package returns the import path of the function's package; "" if unknown. It
// is "main" for a program, and ends in "_test" for a test's own package.
func (s Site) Package() string { return s.frame().pkg }

// String returns "file:line", or "unknown".
func (s Site) String() string {
	if s.IsZero() {
		return "unknown"
	}
	f := s.frame()
	return f.file + ":" + strconv.Itoa(f.line)
}

// nowhere is the frame of the zero Site.
var nowhere frame

func (s Site) frame() *frame {
	if s.IsZero() {
		return &nowhere
	}
	return frameOf(s.pc)
}
