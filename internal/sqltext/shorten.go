package sqltext

import (
	"strings"
	"unicode/utf8"
)

const ellipsis = "…"

// Shorten returns a statement for people to read, in at most max bytes: values are
// replaced by ?, comments left out, spaces joined. It knows no dialect, and shows
// nothing that is a value in any of them: where dialects disagree about the end of
// a string or comment the statement is cut off, and names in double quotes are
// shown only where no value can be. What was cut off ends in "…".
func Shorten(query string, max int) string {
	s := New(query, Unknown)
	b := strings.Builder{}
	var w writer
	for b.Len() <= max {
		t := s.nextShown()
		if t.Kind == EOF {
			return clip(b.String(), max)
		}
		if b.Len() > 0 && t.Start > w.end {
			b.WriteByte(' ')
		}
		if t.Kind != Comment {
			b.WriteString(w.show(t, s.at(0)))
		}
		if t.Doubtful || t.Open {
			b.WriteString(ellipsis)
			return clip(b.String(), max)
		}
		w.pass(t)
	}
	return clip(b.String(), max)
}

// nextShown returns the next token that is no comment, or one
// that may be none.
func (s *Scanner) nextShown() Token {
	for {
		if t := s.Next(); t.Kind != Comment || t.Doubtful || t.Open {
			return t
		}
	}
}

// A writer remembers what it takes to tell names in double quotes from values.
type writer struct {
	end        int // of the last token
	depth      int
	last, prev Token // the last token, and the one before
}

func (w *writer) pass(t Token) {
	switch {
	case t.IsPunct('('):
		w.depth++
	case t.IsPunct(')'):
		w.depth--
	}
	w.end, w.prev, w.last = t.End(), w.last, t
}

// show returns what to write for a token, next being the byte behind it.
func (w *writer) show(t Token, next byte) string {
	switch t.Kind {
	case String, Number, Invalid:
		return "?"
	case Quoted:
		if t.Text[0] != '`' && !w.expectsName() && next != '.' {
			return "?"
		}
		if t.Open || t.Doubtful || strings.ContainsFunc(t.Text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "?"
		}
	}
	return t.Text
}

// expectsName reports whether no value can follow what was read: FROM
// can be within a function, TRIM(FROM "x"), or an operator, IS DISTINCT FROM "x".
func (w *writer) expectsName() bool {
	switch {
	case w.last.IsPunct('.'):
		return true
	case w.last.Is("from"):
		return w.depth == 0 && !w.prev.Is("distinct")
	case w.last.Is("update"):
		return w.prev.Kind == EOF
	}
	return w.last.IsAny("join", "into", "table")
}

// clip cuts text to max bytes, between two characters.
func clip(text string, max int) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= max {
		return text
	}
	n := max - len(ellipsis)
	if n < 0 {
		return ""
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + ellipsis
}
