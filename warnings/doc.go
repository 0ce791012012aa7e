// Package warnings tells programmers about code that works but should be changed.
// It is Python's warnings module in Go.
//
// A warning is an error value with a category. [Warn] passes it through the filters,
// which decide what happens. It is shown once per call site (the default), always,
// once, or never, or the call that caused it fails with it:
//
//	undo := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))
//	defer undo()
//
// [Filter] adds a filter, and the latest one that matches decides. The environment
// variable AIOWARNINGS sets the first ones (see [EnvVar]). A warning that is shown
// goes to the handler (see [SetHandler]), which logs it with log/slog at level WARN
// unless you set another one. Tests collect warnings with [Record].
//
// # Call sites
//
// A warning carries the line of the application that caused it: the innermost frame
// that is not in this module, database/sql or the runtime. This module's tests,
// examples and programs count as applications. The line is looked up only if needed.
//
// # Issuing warnings
//
// A call that can still fail returns the error of Warn:
//
//	err := warnings.Warn(&warnings.BlockingWarning{Info: warnings.Info{Message: blocked}})
//	if err != nil {
//		return err // a filter says Error
//	}
//
// Where no call is left to fail, as in a cleanup, use [Show]. [Decide] tells in
// advance what would happen. It takes a few nanoseconds if a filter drops the
// warning by its category, and a walk of the stack if it was shown before at the
// same site. A resource that somebody may forget to close can remember where it was
// made, in 8 bytes: see [Caller].
package warnings
