// Package sqltext reads SQL text: not what it means, but where strings, names and
// comments begin and end, which takes a real scanner and the dialect.
//
// A [Scanner] cuts text into tokens. It allocates nothing, takes time linear in the
// length of the text, and takes any bytes:
//
//	s := sqltext.New(query, sqltext.SQLite)
//	for t := s.Next(); t.Kind != sqltext.EOF; t = s.Next() {
//		...
//	}
//
// On top of it are [ReturnsRows], which chooses between Query and Exec, and
// [Shorten], which makes a statement fit for a log.
//
// What depends on a server's settings is read by their defaults: MySQL without
// ANSI_QUOTES and NO_BACKSLASH_ESCAPES, PostgreSQL with standard_conforming_strings.
package sqltext
