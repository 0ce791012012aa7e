// Package overlaytest gives tests an engine on a mock of a database, and fails
// them for what they leave behind.
//
//	func TestRename(t *testing.T) {
//		engine, mock := overlaytest.New(t)
//		mock.ExpectExec("UPDATE users").WithArgs("dora", 7).WillReturnResult(sqlmock.NewResult(0, 1))
//
//		if err := Rename(t.Context(), engine, 7, "dora"); err != nil {
//			t.Error(err)
//		}
//	}
//
// The mock is one of github.com/DATA-DOG/go-sqlmock, behind the driver aio. When
// the test ends the engine is shut down and the database closed, whether
// ExpectClose was called or not. The test fails if
//
//   - an expectation was not met,
//   - a call still runs, or a connection or stream is still open, after some seconds ([WithPatience]),
//   - a connection, transaction or stream was forgotten, or the error of a future,
//   - something made from SyncDB was not closed.
//
// Each test hears of its own engine's leaks alone: tests may run in parallel.
//
// Code on database/sql gets the engine's SyncDB. An engine with a writer is not to be had on a
// mock, since the writer is SQLite's: a test of code that calls overlay.Write opens an engine
// on a file in t.TempDir().
//
// # Time
//
// An engine may be used in a bubble of testing/synctest, if it is made there: a statement
// that the mock delays by an hour then takes no time, and deadlines are exact. So may a
// sql.DB on the driver aio.
//
// # The order of calls
//
// The engine has one lane unless [WithEngine] says otherwise, so that its calls
// reach the mock in the order in which they were made. Those of a Conn
// have an order of their own: see MatchExpectationsInOrder.
//
// # What the overlay adds
//
// A savepoint is a statement to expect: SAVEPOINT sqlaio_1, and at its end RELEASE
// SAVEPOINT sqlaio_1, after an error with ROLLBACK TO SAVEPOINT sqlaio_1 before
// it. HasTableAsync and TableNamesAsync need overlay.WithDialect.
package overlaytest
