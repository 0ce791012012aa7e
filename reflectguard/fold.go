package reflectguard

// folded has room for a word in small letters. What is longer is no word that
// matters.
type folded [32]byte

func (b *folded) fold(w string) []byte {
	if len(w) > len(b) {
		return nil
	}
	for i := range len(w) {
		c := w[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b[i] = c
	}
	return b[:len(w)]
}

// hasPrefix compares as SQL does; prefix is in small letters.
func hasPrefix(w, prefix string) bool {
	if len(w) < len(prefix) {
		return false
	}
	var b folded
	return string(b.fold(w[:len(prefix)])) == prefix
}
