// Package liveness holds tests that decide whether every call returns when it
// has promised to, hits nobody else, and keeps no more memory than it should.
//
// They use exported names alone. Each kind of trouble has a file of its own.
// What waits does so through wait_test.go: a call that is late fails its test,
// one that has not returned after 30 seconds also prints all goroutines.
//
// Files with the build constraint "newnames" need names that the overlay does not
// have yet: StreamAsync, WithResultLimit, ErrResultTooLarge, Collect, One, Each,
// Conn.Tx, BeginTx. The constraint goes when they are there.
package liveness
