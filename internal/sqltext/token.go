package sqltext

// A Dialect says how text is cut into tokens.
type Dialect uint8

// The dialects. Unknown reads what most have in common, and marks tokens as Doubtful
// whose end depends on the dialect.
const (
	Unknown Dialect = iota
	SQLite
	MySQL // MariaDB too
	PostgreSQL
)

// A Kind is what a token is.
type Kind uint8

// The kinds of tokens.
const (
	EOF         Kind = iota
	Word             // a keyword or a name without quotes
	Quoted           // a name in quotes
	String           // a string or blob in quotes of any sort, its prefix included
	Number           // a number, its sign not included
	Placeholder      // ?, ?1, $1, :name, $name, or a variable: @name, @@name
	Operator         // one operator or several side by side
	Punct            // one of ( ) [ ] { } , ; .
	Comment          // a comment, or what begins or ends one that MySQL executes
	Invalid          // a byte that has no meaning in the dialect
)

// A Token is a piece of the text, which its Text shares memory with.
type Token struct {
	Kind     Kind
	Open     bool // the text ended before the token did
	Doubtful bool // another dialect may end it elsewhere; only in Unknown
	Start    int  // offset in the text
	Text     string
}

// End returns the offset behind the token.
func (t Token) End() int { return t.Start + len(t.Text) }

// Is reports whether the token is that keyword, which is in small letters. A name
// in quotes is no keyword.
func (t Token) Is(keyword string) bool { return t.Kind == Word && equal(t.Text, keyword) }

// IsAny reports whether Is holds for one of the keywords.
func (t Token) IsAny(keywords ...string) bool {
	if t.Kind != Word {
		return false
	}
	for _, k := range keywords {
		if equal(t.Text, k) {
			return true
		}
	}
	return false
}

// IsPunct reports whether the token is that punctuation.
func (t Token) IsPunct(c byte) bool { return t.Kind == Punct && t.Text[0] == c }

// IsName reports whether the token can be a name.
func (t Token) IsName() bool { return t.Kind == Word || t.Kind == Quoted }

// Name returns the name without its quotes. Quotes doubled within it stay so, and
// escapes of U&"..." too.
func (t Token) Name() string {
	if t.Kind != Quoted {
		return t.Text
	}
	name := t.Text
	if name[0] == 'u' || name[0] == 'U' {
		name = name[2:] // U&
	}
	name = name[1:]
	if !t.Open {
		name = name[:len(name)-1]
	}
	return name
}

// IsNamed reports whether the token is that name, which is in small letters, with
// quotes or without.
func (t Token) IsNamed(name string) bool { return t.IsName() && equal(t.Name(), name) }

// equal compares as SQL does, letters of ASCII in either case. The second string
// is in small letters.
func equal(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
