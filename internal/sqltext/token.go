package sqltext

import "strings"

// A Kind is what a token is.
type Kind uint8

// The kinds of tokens.
const (
	EOF         Kind = iota
	Word             // a keyword, or a name without quotes
	Quoted           // a name in quotes
	String           // a string or blob in quotes of any kind, with its prefix
	Number           // a number, without its sign
	Placeholder      // ?, ?1, $1, :name, $name, or a variable: @name, @@name
	Operator         // one operator, or several adjacent ones
	Punct            // one of ( ) [ ] { } , ; .
	Comment          // a comment, or the beginning or end of one that MySQL executes
	Invalid          // a byte that means nothing in the dialect
)

// A Token is a piece of the text. Its Text shares the text's memory.
type Token struct {
	Kind     Kind
	Open     bool // the text ended before the token did
	Doubtful bool // another dialect may end it elsewhere; only set in Unknown
	Start    int  // offset in the text
	Text     string
}

// End returns the offset just after the token.
func (t Token) End() int { return t.Start + len(t.Text) }

// Is reports whether the token is that keyword, in any case. A name in quotes is
// not a keyword.
func (t Token) Is(keyword string) bool { return t.Kind == Word && equal(t.Text, keyword) }

// IsAny reports whether the token is one of the keywords.
func (t Token) IsAny(keywords ...string) bool {
	for _, k := range keywords {
		if t.Is(k) {
			return true
		}
	}
	return false
}

// IsPunct reports whether the token is that punctuation.
func (t Token) IsPunct(c byte) bool { return t.Kind == Punct && t.Text[0] == c }

// IsName reports whether the token can be a name.
func (t Token) IsName() bool { return t.Kind == Word || t.Kind == Quoted }

// Name returns the name without its quotes. Doubled quotes and the escapes of
// U&"..." stay as they are.
func (t Token) Name() string {
	if t.Kind != Quoted {
		return t.Text
	}
	name := strings.TrimLeft(t.Text, "uU&")[1:]
	if t.Open {
		return name
	}
	return name[:len(name)-1]
}

// IsNamed reports whether the token is that name, in any case, quoted or not.
func (t Token) IsNamed(name string) bool { return t.IsName() && equal(t.Name(), name) }

// equal ignores the case of ASCII letters only: other letters that Unicode folds to
// these differ in length.
func equal(s, ascii string) bool { return len(s) == len(ascii) && strings.EqualFold(s, ascii) }
