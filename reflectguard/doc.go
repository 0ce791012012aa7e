// Package reflectguard detects two kinds of accidents: blocking code that reflects
// the schema, which [IsReflection] recognises by the SQL text, and code that blocks
// in a context marked by [NonBlocking]:
//
//	ctx = reflectguard.NonBlocking(ctx) // an event loop, an actor, a UI goroutine
//
// Packages driver and overlay ask [Call] before they block for a database call, and
// [Wait] before they wait for asynchronous ones, as Await, WithTx, WithConn and
// Shutdown do. With a marked context these issue a warning, or return it as an error if
// a filter of package warnings says so. In a program that marks no context they cost
// an atomic load.
package reflectguard
