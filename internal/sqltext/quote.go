package sqltext

import "strings"

// quote reads a string or a name in quotes.
func (s *Scanner) quote(t *Token, c byte) {
	switch {
	case c == '\'':
		s.quoted(t, String, c, s.dialect == MySQL)
	case c == '"' && s.dialect == MySQL:
		s.quoted(t, String, c, true)
	case c == '`' && s.dialect == PostgreSQL:
		s.take(t, Invalid, 1)
	default:
		s.quoted(t, Quoted, c, false)
	}
}

// quoted reads up to the closing quote, beginning at the opening one. A quote
// doubled is part of the string, and so is the byte behind a backslash if those
// escape.
func (s *Scanner) quoted(t *Token, k Kind, q byte, escapes bool) {
	t.Kind = k
	slashes := 0 // backslashes just before
	i := s.pos + 1
	for ; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\':
			slashes++
			continue
		case c != q:
		case slashes%2 == 1 && escapes:
			t.doubt(s, q, slashes) // E is a name elsewhere
		case i+1 < len(s.text) && s.text[i+1] == q:
			t.doubt(s, q, slashes)
			i++
		default:
			t.doubt(s, q, slashes)
			s.pos = i + 1
			return
		}
		slashes = 0
	}
	s.pos, t.Open = i, true
}

// doubt marks a token in which a quote follows a backslash: for some dialects the
// quote is escaped. None escapes in backquotes.
func (t *Token) doubt(s *Scanner, q byte, slashes int) {
	if slashes%2 == 1 && s.dialect == Unknown && q != '`' {
		t.Doubtful = true
	}
}

// dollar reads $1, $name, or a string like $tag$...$tag$.
func (s *Scanner) dollar(t *Token) {
	if s.dialect == MySQL {
		t.Kind = Word
		s.name()
		return
	}
	if s.dialect != SQLite && s.dollarQuoted(t) {
		return
	}
	class := classOf[s.at(1)]
	if class != digit && (class != letter || s.dialect == PostgreSQL) {
		s.take(t, Invalid, 1)
		return
	}
	s.take(t, Placeholder, 1)
	if class == digit {
		s.digits()
		return
	}
	s.name()
}

// dollarQuoted reads a string in dollar quotes, if this is one.
func (s *Scanner) dollarQuoted(t *Token) bool {
	rest := s.text[s.pos:]
	n := 1
	for n < len(rest) && (classOf[rest[n]] == letter || n > 1 && classOf[rest[n]] == digit) {
		n++
	}
	if n == len(rest) || rest[n] != '$' {
		return false
	}
	tag := rest[:n+1]
	t.Kind = String
	end := strings.Index(rest[len(tag):], tag)
	if end < 0 {
		t.Open = true
		s.pos = len(s.text)
		return true
	}
	s.pos += end + 2*len(tag)
	t.Doubtful = s.dialect == Unknown && strings.ContainsAny(rest[len(tag):len(tag)+end], "'\"`-#/[")
	return true
}

// doubtfulBracket reports whether a name in brackets, if this is one, holds what
// would else begin something.
func (s *Scanner) doubtfulBracket() bool {
	if s.dialect != Unknown {
		return false
	}
	rest := s.text[s.pos+1:]
	if n := strings.IndexAny(rest, "[]"); n >= 0 {
		rest = rest[:n]
	}
	return strings.ContainsAny(rest, "'\"`-#/$")
}
