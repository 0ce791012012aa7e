package sqltext

import "strings"

// A Scanner cuts text into tokens. To look ahead, copy it: it is small, and the copy
// goes on from the same place on its own.
type Scanner struct {
	text    string
	pos     int
	dialect Dialect
	execute bool // inside /*! */, which MySQL executes
}

// New returns a scanner of text.
func New(text string, d Dialect) Scanner { return Scanner{text: text, dialect: d} }

// Next returns the next token. At the end it returns one of kind EOF, repeatedly.
func (s *Scanner) Next() Token {
	for classOf[s.at(0)] == space {
		s.pos++
	}
	t := Token{Start: s.pos}
	if s.pos < len(s.text) {
		s.scan(&t)
	}
	t.Text = s.text[t.Start:s.pos]
	return t
}

// NextSignificant returns the next token that is not a comment.
func (s *Scanner) NextSignificant() Token {
	for {
		if t := s.Next(); t.Kind != Comment {
			return t
		}
	}
}

// at returns the byte i places ahead, or 0 past the end.
func (s *Scanner) at(i int) byte {
	if s.pos+i < len(s.text) {
		return s.text[s.pos+i]
	}
	return 0
}

// scan sets the token's kind and moves to its end, by at least one byte.
func (s *Scanner) scan(t *Token) {
	c := s.text[s.pos]
	switch classOf[c] {
	case letter:
		s.word(t)
	case digit:
		s.number(t)
	case quote:
		if c == '`' && s.dialect == PostgreSQL {
			s.take(t, Invalid, 1)
			return
		}
		s.quoted(t, c, false)
	case dollar:
		s.dollar(t)
	case mark:
		s.mark(t, c)
	case punct:
		s.punct(t, c)
	case operator:
		s.operator(t, c)
	default:
		s.take(t, Invalid, 1)
	}
}

// take makes the next n bytes a token.
func (s *Scanner) take(t *Token, k Kind, n int) {
	t.Kind = k
	s.pos += n
}

// word reads a name or keyword, or a string that has a letter before its quote.
func (s *Scanner) word(t *Token) {
	c := s.text[s.pos] | 0x20
	switch q := s.at(2); {
	case s.at(1) == '\'' && s.prefixes(c):
		s.pos++
		s.quoted(t, '\'', c == 'e')
	case c == 'u' && s.at(1) == '&' && (q == '\'' || q == '"') && s.maybePostgreSQL():
		s.pos += 2
		s.quoted(t, q, false)
	default:
		t.Kind = Word
		s.name()
	}
}

// prefixes reports whether that letter may stand before a string's quote.
func (s *Scanner) prefixes(c byte) bool {
	switch c {
	case 'x':
		return true
	case 'b', 'n':
		return s.dialect != SQLite
	case 'e':
		return s.maybePostgreSQL()
	}
	return false
}

func (s *Scanner) maybePostgreSQL() bool { return s.dialect == PostgreSQL || s.dialect == Unknown }

// name skips the bytes of a name, if there are any.
func (s *Scanner) name() {
	for IsWordByte(s.at(0)) || s.at(0) == '$' {
		s.pos++
	}
}

func (s *Scanner) digits() {
	for classOf[s.at(0)] == digit {
		s.pos++
	}
}

// number also reads all letters and digits that follow: 0x1F, 1e5, and names that
// begin with a digit, as MySQL allows. A sign can be part of an exponent.
func (s *Scanner) number(t *Token) {
	t.Kind = Number
	hex := s.at(0) == '0' && s.at(1)|0x20 == 'x'
	for {
		c := s.at(0)
		sign := (c == '+' || c == '-') && s.text[s.pos-1]|0x20 == 'e' && !hex && classOf[s.at(1)] == digit
		if !sign && !IsWordByte(c) && c != '.' {
			return
		}
		s.pos++
	}
}

// punct reads one byte, a name in brackets, or a number that begins with a dot.
func (s *Scanner) punct(t *Token, c byte) {
	switch {
	case c == '[' && s.dialect == SQLite:
		t.Kind = Quoted
		n := strings.IndexByte(s.text[s.pos:], ']') + 1
		if n == 0 {
			n, t.Open = len(s.text)-s.pos, true
		}
		s.pos += n
	case c == '.' && classOf[s.at(1)] == digit && !s.afterName():
		s.number(t)
	default:
		t.Doubtful = c == '[' && s.doubtfulBracket()
		s.take(t, Punct, 1)
	}
}

// afterName reports whether a dot here is part of a qualified name.
func (s *Scanner) afterName() bool {
	if s.pos == 0 {
		return false
	}
	c := s.text[s.pos-1]
	return classOf[c] == letter || classOf[c] == quote || c == ']'
}

// operator reads adjacent operators, up to where a comment begins.
func (s *Scanner) operator(t *Token, c byte) {
	switch {
	case s.comment(t, c):
		return
	case c == '@' && s.dialect != PostgreSQL:
		s.variable(t)
		return
	case c == '#' && s.dialect == SQLite:
		s.take(t, Invalid, 1)
		return
	}
	t.Kind = Operator
	t.Doubtful = c == '#' && s.dialect == Unknown // a comment in MySQL
	for s.pos++; ; s.pos++ {
		c := s.at(0)
		if classOf[c] != operator || s.beginsComment(c) || c == '*' && s.at(1) == '/' && s.execute ||
			(c == '@' || c == '#') && s.dialect != PostgreSQL {
			return
		}
	}
}

// variable reads @name or @@name; otherwise the byte alone.
func (s *Scanner) variable(t *Token) {
	n := 1
	if s.at(1) == '@' {
		n = 2
	}
	if c := s.at(n); IsWordByte(c) || c == '$' && s.dialect != Unknown {
		s.take(t, Placeholder, n)
		s.parameter()
		return
	}
	s.take(t, Operator, 1)
}

// mark reads what begins with a question mark or a colon.
func (s *Scanner) mark(t *Token, c byte) {
	next := s.at(1)
	switch {
	case c == '?':
		s.take(t, Placeholder, 1)
		s.digits()
	case IsWordByte(next) && (s.dialect == SQLite || s.dialect == Unknown):
		s.take(t, Placeholder, 1)
		s.parameter()
	case next == ':', next == '=':
		s.take(t, Operator, 2)
	default:
		s.take(t, Operator, 1)
	}
}

// parameter skips a parameter's name or number. In PostgreSQL a number ends
// before a letter or a dollar: a string in dollar quotes may follow.
func (s *Scanner) parameter() {
	if s.maybePostgreSQL() && classOf[s.at(0)] == digit {
		s.digits()
		return
	}
	s.name()
}
