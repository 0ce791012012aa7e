// Package warnings tells programmers of what works but should not be done: Python's
// warnings in Go.
//
// A warning is an error value with a category. [Warn] gives it to the filters,
// and they decide: it is shown once per call site (the default), always, once
// or never, or the call that caused it fails with it:
//
//	undo := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))
//	defer undo()
//
// [Filter] adds a filter, and the latest one that matches decides. The
// environment variable AIOWARNINGS gives the first ones (see [EnvVar]).
// A warning that is shown goes to the handler, [SetHandler]; without one it
// becomes a record of log/slog at level WARN. Tests collect them with [Record].
//
// # Finding out which call
//
// A warning carries the call site of the application: the innermost frame that
// is in none of this module's packages, database/sql or the runtime. Tests,
// examples and programs of this module are applications too. Where that line is
// only found out when it is needed.
//
// # Warning of something
//
// Whoever warns asks [Decide] first, so that a warning nobody wants is never made:
//
//	const blocked = "blocking call with a context marked NonBlocking"
//
//	if warnings.Decide(warnings.Blocking, blocked, warnings.Site{}) != warnings.Drop {
//		err := warnings.Warn(&warnings.BlockingWarning{Info: warnings.Info{Message: blocked}})
//		if err != nil {
//			return err // a filter says Error
//		}
//	}
//
// A call that filters drop by category or message costs some nanoseconds, one
// that was shown before at the same site the time to look at the stack; neither
// allocates. A resource that may be forgotten keeps where it was made with
// [Caller], 8 bytes, which [KeepSites] turns off.
package warnings
