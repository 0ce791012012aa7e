// Package reflectguard recognises two kinds of accidents: reflection of the
// schema by blocking code, which [IsReflection] tells by the SQL text, and
// blocking calls where none should be, in contexts marked by [NonBlocking]:
//
//	ctx = reflectguard.NonBlocking(ctx) // an event loop, an actor, a UI goroutine
//	...
//	if reflectguard.IsNonBlocking(ctx) {
//		// about to block: warn, or refuse
//	}
//
// A program that marks no context pays one atomic load for being asked.
package reflectguard
