package sqltext

// A class is the kind of token that a byte begins.
type class uint8

const (
	other class = iota
	space
	letter // including the underscore and all bytes outside ASCII
	digit
	quote
	dollar
	mark
	punct
	operator
)

var classOf = func() (t [256]class) {
	set := func(c class, bytes string) {
		for i := range len(bytes) {
			t[bytes[i]] = c
		}
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = letter, letter
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] = letter
	}
	set(letter, "_")
	set(space, " \t\n\v\f\r")
	set(digit, "0123456789")
	set(quote, "'\"`")
	set(dollar, "$")
	set(mark, "?:")
	set(punct, "()[]{},;.")
	set(operator, "+-*/<>=~!@#%^&|")
	return t
}()

// IsWordByte reports whether c may be part of a word.
func IsWordByte(c byte) bool { return classOf[c] == letter || classOf[c] == digit }
