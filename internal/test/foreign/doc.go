// Foreign runs other people's test suites through the shim: those of
// go-sqlite3, go-sqlmock and go-sql-driver/mysql, once as they are and then
// with every database opened through aio. It prints how many tests passed,
// failed and were skipped each way, and every test whose outcome differs.
//
// A difference that expected.txt explains is fine; any other makes the run
// fail.
//
//	make conformance
//	make conformance CONFORMANCEFLAGS='-suite go-sqlmock -v'
//
// The suites come from the module cache, in the versions that go.mod names.
// Copies in a temporary directory are changed so that sql.Open, sql.OpenDB and
// Conn.Raw become variables, which a test file of ours sets; see copy.go.
//
// The suite of go-sql-driver/mysql needs a server: SQLAIO_MARIADB is its DSN.
package main
