package sqltext

import "strings"

// beginsComment reports whether the byte here begins a comment.
func (s *Scanner) beginsComment(c byte) bool {
	switch c {
	case '/':
		return s.at(1) == '*'
	case '-':
		// MySQL takes 5--1 for 5 minus -1.
		return s.at(1) == '-' && (s.dialect != MySQL || s.at(2) <= ' ')
	case '#':
		return s.dialect == MySQL || s.dialect == Unknown && !s.beginsJSONOperator()
	}
	return false
}

// beginsJSONOperator reports whether # begins #>, #>> or #-, which PostgreSQL has.
func (s *Scanner) beginsJSONOperator() bool { return s.at(1) == '>' || s.at(1) == '-' }

// comment reads a comment, if this is one, or the end of one that is executed.
func (s *Scanner) comment(t *Token, c byte) bool {
	if c == '*' && s.execute && s.at(1) == '/' {
		s.execute = false
		s.take(t, Comment, 2)
		return true
	}
	if !s.beginsComment(c) {
		return false
	}
	t.Kind = Comment
	switch {
	case c != '/':
		s.lineComment(t, c)
	case s.dialect == MySQL && !s.execute && s.executed():
	case s.dialect == PostgreSQL:
		s.nestedComment(t)
	default:
		s.blockComment(t)
	}
	return true
}

// lineComment reads up to the end of the line. In doubt a string or a longer
// comment may begin on the line instead.
func (s *Scanner) lineComment(t *Token, c byte) {
	n := strings.IndexByte(s.text[s.pos:], '\n')
	if n < 0 {
		n = len(s.text) - s.pos
	}
	sure := c == '-' && s.at(2) <= ' '
	if s.dialect == Unknown && !sure {
		line := s.text[s.pos : s.pos+n]
		t.Doubtful = holdsQuote(line) || strings.Contains(line, "/*")
	}
	s.pos += n
}

func (s *Scanner) blockComment(t *Token) {
	body := s.text[s.pos+2:]
	n := strings.Index(body, "*/")
	if n < 0 {
		t.Open = s.dialect != SQLite // which ends it with the text
		n = len(body)
		s.pos = len(s.text)
	} else {
		s.pos += n + 4
	}
	body = body[:n]
	if s.dialect == Unknown {
		executed := strings.HasPrefix(body, "!") || strings.HasPrefix(body, "M!")
		t.Doubtful = strings.Contains(body, "/*") || executed && (holdsQuote(body) || strings.ContainsAny(body, "-#"))
	}
}

func (s *Scanner) nestedComment(t *Token) {
	depth := 0
	for i := s.pos; i+1 < len(s.text); i++ {
		switch s.text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			s.pos = i + 1
			return
		}
	}
	t.Open = true
	s.pos = len(s.text)
}

// executed reads /*!50100 or MariaDB's /*M!, if it is here: what follows up to */ is
// executed.
func (s *Scanner) executed() bool {
	n := 2
	if s.at(n) == 'M' {
		n++
	}
	if s.at(n) != '!' {
		return false
	}
	s.pos += n + 1
	s.digits()
	s.execute = true
	return true
}

func holdsQuote(s string) bool { return strings.ContainsAny(s, "'\"`$") }
