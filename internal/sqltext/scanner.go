package sqltext

import "strings"

// A Scanner cuts text into tokens. It is a small value: copied, it goes on from
// where it was, so that a copy looks ahead.
type Scanner struct {
	text    string
	pos     int
	dialect Dialect
	execute bool // within /*! */, which MySQL executes
}

// New returns a scanner of the text.
func New(text string, d Dialect) Scanner { return Scanner{text: text, dialect: d} }

// Next returns the next token. At the end that is one of kind EOF, again and again.
func (s *Scanner) Next() Token {
	for s.pos < len(s.text) && classOf[s.text[s.pos]] == space {
		s.pos++
	}
	t := Token{Start: s.pos}
	if s.pos < len(s.text) {
		s.scan(&t)
	}
	t.Text = s.text[t.Start:s.pos]
	return t
}

// NextSignificant returns the next token that is no comment.
func (s *Scanner) NextSignificant() Token {
	for {
		if t := s.Next(); t.Kind != Comment {
			return t
		}
	}
}

// at returns the byte i places ahead, or 0 at the end.
func (s *Scanner) at(i int) byte {
	if s.pos+i < len(s.text) {
		return s.text[s.pos+i]
	}
	return 0
}

// scan sets the token's kind and moves behind it, by one byte at least.
func (s *Scanner) scan(t *Token) {
	c := s.text[s.pos]
	switch classOf[c] {
	case letter:
		s.word(t)
	case digit:
		s.number(t)
	case quote:
		s.quote(t, c)
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

// take makes the next n bytes the token.
func (s *Scanner) take(t *Token, k Kind, n int) {
	t.Kind = k
	s.pos += n
}

// word reads a name or keyword, or a string that begins with a letter.
func (s *Scanner) word(t *Token) {
	c := s.text[s.pos] | 0x20
	if s.at(1) == '\'' && s.prefixes(c) {
		s.pos++
		s.quoted(t, String, '\'', c == 'e')
		return
	}
	if q := s.at(2); c == 'u' && s.at(1) == '&' && (q == '\'' || q == '"') && s.hasUnicodeQuotes() {
		s.pos += 2
		k := String
		if q == '"' {
			k = Quoted
		}
		s.quoted(t, k, q, false)
		return
	}
	t.Kind = Word
	s.name()
}

// prefixes reports whether a string may begin with that letter.
func (s *Scanner) prefixes(c byte) bool {
	switch c {
	case 'x':
		return true
	case 'b', 'n':
		return s.dialect != SQLite
	case 'e':
		return s.dialect == PostgreSQL || s.dialect == Unknown
	}
	return false
}

func (s *Scanner) hasUnicodeQuotes() bool {
	return s.dialect == PostgreSQL || s.dialect == Unknown
}

// name moves behind a name's bytes, if there are any.
func (s *Scanner) name() {
	for s.pos < len(s.text) {
		switch classOf[s.text[s.pos]] {
		case letter, digit, dollar:
			s.pos++
		default:
			return
		}
	}
}

// number reads all letters and digits that follow too: 0x1F, 1e5, and MySQL's names
// that begin with a digit. A sign belongs to an exponent.
func (s *Scanner) number(t *Token) {
	t.Kind = Number
	hex := s.at(0) == '0' && s.at(1)|0x20 == 'x'
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch class := classOf[c]; {
		case class == digit, class == letter, c == '.':
			s.pos++
		case (c == '+' || c == '-') && s.text[s.pos-1]|0x20 == 'e' && !hex && classOf[s.at(1)] == digit:
			s.pos++
		default:
			return
		}
	}
}

// punct reads one byte, or a name in brackets, or a number that begins with a dot.
func (s *Scanner) punct(t *Token, c byte) {
	switch {
	case c == '[' && s.dialect == SQLite:
		t.Kind = Quoted
		n := strings.IndexByte(s.text[s.pos:], ']') + 1
		if n == 0 {
			n, t.Open = len(s.text)-s.pos, true
		}
		s.pos += n
	case c == '.' && classOf[s.at(1)] == digit && !s.behindName():
		s.number(t)
	default:
		t.Doubtful = c == '[' && s.doubtfulBracket()
		s.take(t, Punct, 1)
	}
}

// behindName reports whether a dot here would be that of a qualified name.
func (s *Scanner) behindName() bool {
	if s.pos == 0 {
		return false
	}
	c := s.text[s.pos-1]
	return classOf[c] == letter || classOf[c] == quote || c == ']'
}

// operator reads operators up to what is none, or begins a comment.
func (s *Scanner) operator(t *Token, c byte) {
	if s.comment(t, c) {
		return
	}
	if c == '@' && s.dialect != PostgreSQL || c == '#' && s.dialect == SQLite {
		s.variable(t, c)
		return
	}
	t.Kind = Operator
	t.Doubtful = c == '#' && s.dialect == Unknown // a comment for MySQL
	s.pos++
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if classOf[c] != operator || s.beginsComment(c) || c == '*' && s.at(1) == '/' && s.execute ||
			(c == '@' || c == '#') && s.dialect != PostgreSQL {
			return
		}
		s.pos++
	}
}

// variable reads @name and @@name; else the byte alone.
func (s *Scanner) variable(t *Token, c byte) {
	if c != '@' {
		s.take(t, Invalid, 1)
		return
	}
	n := 1
	if s.at(1) == '@' {
		n = 2
	}
	switch class := classOf[s.at(n)]; {
	case class == letter, class == digit, class == dollar && s.dialect != Unknown:
		s.take(t, Placeholder, n)
		s.parameter()
	default:
		s.take(t, Operator, 1)
	}
}

// mark reads what begins with a question mark or colon.
func (s *Scanner) mark(t *Token, c byte) {
	if c == '?' {
		s.take(t, Placeholder, 1)
		s.digits()
		return
	}
	named := s.dialect == SQLite || s.dialect == Unknown
	switch class := classOf[s.at(1)]; {
	case named && (class == letter || class == digit):
		s.take(t, Placeholder, 1)
		s.parameter()
	case s.at(1) == ':', s.at(1) == '=':
		s.take(t, Operator, 2)
	default:
		s.take(t, Operator, 1)
	}
}

// parameter moves behind a parameter's name or number. In doubt a number ends
// where PostgreSQL's does: a string in dollar quotes may follow.
func (s *Scanner) parameter() {
	if s.dialect == Unknown && classOf[s.at(0)] == digit {
		s.digits()
		return
	}
	s.name()
}

func (s *Scanner) digits() {
	for classOf[s.at(0)] == digit {
		s.pos++
	}
}
