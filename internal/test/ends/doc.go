// Package ends has only tests. They look at what a caller is told about a transaction that
// may have ended before its own end: by the text of a statement, by the database, or by a
// call that was left.
package ends
