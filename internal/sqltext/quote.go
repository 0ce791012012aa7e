package sqltext

import "strings"

// quoted reads a string, or a name in quotes, from its opening quote q to the closing
// one. A doubled quote is part of it. So is a quote after a backslash, if escapes is
// set or the dialect is MySQL; in Unknown, such a quote makes the token doubtful.
func (s *Scanner) quoted(t *Token, q byte, escapes bool) {
	t.Kind = Quoted
	if q == '\'' || q == '"' && s.dialect == MySQL {
		t.Kind = String
	}
	escapes = escapes || s.dialect == MySQL && q != '`'
	slashes := 0 // backslashes just before
	i := s.pos + 1
	for ; i < len(s.text); i++ {
		if s.text[i] == '\\' {
			slashes++
			continue
		}
		if s.text[i] == q {
			odd := slashes%2 == 1
			t.Doubtful = t.Doubtful || odd && s.dialect == Unknown && q != '`' // even after E, a name elsewhere
			switch {
			case odd && escapes:
			case i+1 < len(s.text) && s.text[i+1] == q:
				i++
			default:
				s.pos = i + 1
				return
			}
		}
		slashes = 0
	}
	s.pos, t.Open = i, true
}

// dollar reads $1, $name, or a string such as $tag$...$tag$.
func (s *Scanner) dollar(t *Token) {
	class := classOf[s.at(1)]
	switch {
	case s.dialect == MySQL:
		t.Kind = Word
		s.name()
	case s.dialect != SQLite && s.dollarQuoted(t):
	case class == digit, class == letter && s.dialect != PostgreSQL:
		s.take(t, Placeholder, 1)
		s.parameter()
	default:
		s.take(t, Invalid, 1)
	}
}

// dollarQuoted reads a string in dollar quotes, if there is one.
func (s *Scanner) dollarQuoted(t *Token) bool {
	n := 1
	for c := s.at(n); classOf[c] == letter || n > 1 && classOf[c] == digit; c = s.at(n) {
		n++
	}
	if s.at(n) != '$' {
		return false
	}
	tag, rest := s.text[s.pos:s.pos+n+1], s.text[s.pos+n+1:]
	t.Kind = String
	body, _, closed := strings.Cut(rest, tag)
	if !closed {
		t.Open = true
		s.pos = len(s.text)
		return true
	}
	s.pos += len(body) + 2*len(tag)
	t.Doubtful = s.dialect == Unknown && strings.ContainsAny(body, "'\"`-#/[")
	return true
}

// doubtfulBracket reports whether a name in brackets, if there is one here, contains
// something that would begin a token elsewhere.
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
