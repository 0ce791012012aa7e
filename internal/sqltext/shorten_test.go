package sqltext_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

func TestShorten(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"SELECT 1", "SELECT ?"},
		{"  SELECT\n\t a ,  b\nFROM t  ", "SELECT a , b FROM t"},
		{"SELECT * FROM t WHERE a='x' AND b=1.5e3", "SELECT * FROM t WHERE a=? AND b=?"},
		{"INSERT INTO t VALUES (X'AB', N'c', $$d$$, ?)", "INSERT INTO t VALUES (?, ?, ?, ?)"},
		{"SELECT a /* why */ FROM t -- because\n WHERE b", "SELECT a FROM t WHERE b"},
		{`SELECT "a"."b", "c" FROM "t" JOIN "u"`, `SELECT "a"."b", ? FROM "t" JOIN "u"`},
		{"SELECT `a` FROM `t`", "SELECT `a` FROM `t`"},
		{`UPDATE "t" SET "a" = "b"`, `UPDATE "t" SET ? = ?`},
		{`SELECT TRIM(LEADING FROM "x")`, `SELECT TRIM(LEADING FROM ?)`},
		{`SELECT a IS DISTINCT FROM "x"`, `SELECT a IS DISTINCT FROM ?`},
		{`SELECT 'it\'s secret'`, "SELECT ?…"},
		{`SELECT 'unterminated`, "SELECT ?…"},
		{"SELECT 1 # it's", "SELECT ? …"},
		{"SELECT /* /* */ secret */ 1", "SELECT …"},
		{"SELECT :name, @v, $1, ?2", "SELECT :name, @v, $1, ?2"},
		{"PRAGMA table_info('users')", "PRAGMA table_info(?)"},
		{"a\x00\xff", "a??"},
		{"SELECT `a\nb`", "SELECT ?"},
		{`SELECT "secret\".", 1`, "SELECT ?…"},
		{"SELECT 5 --/* so\n ' */ 'y'", "SELECT ? …"},
		{"SELECT /*! -- */ 'x'\n */ 'y'", "SELECT …"},
		{"SELECT a #> '{b}'", "SELECT a #>…"},
		{"SELECT ARRAY[1], ARRAY['b']", "SELECT ARRAY[?], ARRAY[…"},
		{"SELECT $$it's$$, 1", "SELECT ?…"},
	} {
		if got := sqltext.Shorten(c.query, 200); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

func TestShortenCutsBetweenCharacters(t *testing.T) {
	const query = "SELECT ä, ö FROM ü"
	for max, want := range map[int]string{
		-1: "", 0: "", 2: "", 3: "…", 10: "SELECT …", 11: "SELECT …", 12: "SELECT ä…", 100: query, len(query): query,
	} {
		if got := sqltext.Shorten(query, max); got != want {
			t.Errorf("%d: %q, want %q", max, got, want)
		}
	}
}

const secret = "S3CRET"

// checkNoLeak fails if a value in the statement is shown. It considers those dialects
// in which the text is valid and the secret is only in values.
func checkNoLeak(t interface{ Fatalf(string, ...any) }, text string) {
	short := sqltext.Shorten(text, 1<<20)
	if !strings.Contains(short, secret) {
		return
	}
	for _, d := range all[1:] {
		if onlyInValues(text, d) {
			t.Fatalf("dialect %d: %q is shown as %q", d, text, short)
		}
	}
}

func onlyInValues(text string, d sqltext.Dialect) bool {
	s := sqltext.New(text, d)
	var prev sqltext.Token
	for tok := s.Next(); tok.Kind != sqltext.EOF; tok = s.Next() {
		name := prev.IsPunct('.') || prev.IsAny("from", "join", "into", "update", "table") || strings.HasPrefix(text[tok.End():], ".")
		switch {
		case tok.Open, tok.Kind == sqltext.Invalid:
			return false
		case tok.Kind == sqltext.String && (tok.Text[0] != '"' || !name):
		case strings.Contains(tok.Text, secret):
			return false
		}
		if tok.Kind != sqltext.Comment {
			prev = tok
		}
	}
	return true
}

func TestShortenShowsNoValueOfAnyDialect(t *testing.T) {
	pieces := []string{
		secret, secret, secret, "'", "'", "'", `"`, `"`, "`", `\`, "$$", "$a$", "/*", "*/", "/*!", "--", "-- ", "--/*", "/*!#", "#", "#>", "\n", " ",
		"E'", "e", "U&'", "x", "[", "]", "(", ")", ".", ",", ";", "SELECT ", " FROM ", " a ", " = ", "1", "@", ":", "?",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 24).Draw(t, "pieces"), "")
		checkNoLeak(t, text)
	})
}

func ExampleShorten() {
	fmt.Println(sqltext.Shorten("SELECT name FROM users\n WHERE email = 'a@example.com' LIMIT 1", 60))
	fmt.Println(sqltext.Shorten("SELECT name FROM users\n WHERE email = 'a@example.com' LIMIT 1", 30))
	// Output:
	// SELECT name FROM users WHERE email = ? LIMIT ?
	// SELECT name FROM users WHER…
}

func TestHideQuoted(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"UNIQUE constraint failed: t.a", "UNIQUE constraint failed: t.a"},
		{"Error 1062 (23000): Duplicate entry 'O'Brien' for key 'name'", "Error 1062 (23000): Duplicate entry '…'"},
		{`parsing "secret": invalid syntax`, `parsing "…": invalid syntax`},
		{"it doesn't exist", "it doesn't exist"},
	} {
		if got := sqltext.HideQuoted(c.text); got != c.want {
			t.Errorf("%q is %q, want %q", c.text, got, c.want)
		}
	}
}
