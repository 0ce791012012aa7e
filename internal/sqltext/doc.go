// Package sqltext finds where strings, names and comments in SQL text begin and
// end, which depends on the dialect. It does not know what SQL means.
//
// A [Scanner] cuts text into tokens. It accepts any bytes, allocates nothing, and
// takes time linear in the length of the text:
//
//	s := sqltext.New(query, sqltext.SQLite)
//	for t := s.Next(); t.Kind != sqltext.EOF; t = s.Next() {
//		...
//	}
//
// [ReturnsRows] chooses between Query and Exec, and [Shorten] prepares a statement
// for a log.
//
// Where server settings matter, their defaults are assumed: MySQL without
// ANSI_QUOTES and NO_BACKSLASH_ESCAPES, PostgreSQL with standard_conforming_strings.
package sqltext
