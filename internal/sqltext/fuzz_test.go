package sqltext_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

var seeds = []string{
	"", ordinary, "'", `'\'`, "$$", "$a$ $a$", "/*", "/*/*", "/*!", "/*!1 */", "*/", "--", "#", "[", "\x00", "\xff'",
	"E'\\'", "U&\"", "x'", "1e+", ".5", "a.", "@@", ":", "::", "INSERT INTO t VALUES (1) RETURNING id",
	"WITH x AS (SELECT 1) SELECT * FROM x;;", "PRAGMA table_info(t)", "(((", ")))", "UPDATE t SET returning = 1",
}

// For any bytes, the tokens cover the text in order, with only spaces between them.
func FuzzScanner(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range all {
			s := sqltext.New(text, d)
			end := 0
			for tok := s.Next(); tok.Kind != sqltext.EOF; tok = s.Next() {
				if tok.Text == "" || tok.Start < end || text[tok.Start:tok.End()] != tok.Text {
					t.Fatalf("dialect %d: token %+v after %d", d, tok, end)
				}
				if strings.Trim(text[end:tok.Start], " \t\n\v\f\r") != "" {
					t.Fatalf("dialect %d: %q skipped", d, text[end:tok.Start])
				}
				_ = tok.Name()
				end = tok.End()
			}
			if strings.Trim(text[end:], " \t\n\v\f\r") != "" {
				t.Fatalf("dialect %d: %q left", d, text[end:])
			}
			sqltext.ReturnsRows(text, d)
		}
	})
}

func FuzzShorten(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, text string, max int) {
		got := sqltext.Shorten(text, max)
		if len(got) > 0 && len(got) > max {
			t.Fatalf("%d bytes, at most %d wanted", len(got), max)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q", got)
		}
		checkNoLeak(t, text)
	})
}
