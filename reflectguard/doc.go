// Package reflectguard detects two kinds of accidents. One is blocking code that
// reads the schema, which [IsReflection] recognizes by the SQL text. The other is
// code that blocks in a context marked by [NonBlocking]:
//
//	ctx = reflectguard.NonBlocking(ctx) // an event loop, an actor, a UI goroutine
//
// Packages driver and overlay call [Call] before they block for a database call, and
// [Wait] before they wait for asynchronous calls, as Await, WithTx, WithConn and
// Shutdown do. If the context is marked, these issue a warning, or return it as an
// error if a filter of package warnings says so. In a program that marks no context
// they cost an atomic load.
package reflectguard
