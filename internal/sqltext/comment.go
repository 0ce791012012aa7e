package sqltext

import "strings"

// beginsComment reports whether the byte c, which is the next one, begins a comment.
func (s *Scanner) beginsComment(c byte) bool {
	next := s.at(1)
	switch c {
	case '/':
		return next == '*'
	case '-':
		// MySQL reads 5--1 as 5 minus -1.
		return next == '-' && (s.dialect != MySQL || s.at(2) <= ' ')
	case '#':
		// PostgreSQL has the operators #>, #>> and #-.
		return s.dialect == MySQL || s.dialect == Unknown && next != '>' && next != '-'
	}
	return false
}

// comment reads a comment, or the end of one that is executed, if there is one.
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

// lineComment reads to the end of the line. If another dialect sees no comment here, a
// string or a longer comment may begin on the line.
func (s *Scanner) lineComment(t *Token, c byte) {
	line, _, _ := strings.Cut(s.text[s.pos:], "\n")
	sure := c == '-' && s.at(2) <= ' '
	t.Doubtful = s.dialect == Unknown && !sure && (holdsQuote(line) || strings.Contains(line, "/*"))
	s.pos += len(line)
}

func (s *Scanner) blockComment(t *Token) {
	body, _, closed := strings.Cut(s.text[s.pos+2:], "*/")
	if closed {
		s.pos += len(body) + 4
	} else {
		t.Open = s.dialect != SQLite // in SQLite the end of the text closes it
		s.pos = len(s.text)
	}
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

// executed reads /*!50100 or MariaDB's /*M!, if present. The server executes what
// follows, up to */.
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
