package sqltext

import "strings"

const ellipsis = "…"

// Shorten returns a statement for people to read, in at most max bytes: with ? for
// values, without comments, with single spaces. It needs no dialect, and shows nothing
// that is a value in any dialect. So it cuts the statement where dialects disagree
// about the end of a string or comment, and shows a name in double quotes only where
// there can be no value. A statement that is cut ends in "…".
func Shorten(query string, max int) string {
	s := New(query, Unknown)
	var b strings.Builder
	var before preceding
	for b.Len() <= max {
		t := s.Next()
		if t.Kind == EOF {
			break
		}
		cut := t.Doubtful || t.Open
		if t.Kind == Comment && !cut {
			continue
		}
		if b.Len() > 0 && t.Start > before.last.End() {
			b.WriteByte(' ')
		}
		switch {
		case t.Kind == Comment:
		case before.mayBeValue(t, s.at(0)):
			b.WriteByte('?')
		default:
			b.WriteString(t.Text)
		}
		if cut {
			b.WriteString(ellipsis)
			break
		}
		before.add(t)
	}
	return clip(b.String(), max)
}

// preceding is what Shorten keeps of the text so far, to tell names in double quotes
// from values.
type preceding struct {
	depth      int
	last, prev Token // the last token, and the one before it
}

func (p *preceding) add(t Token) {
	switch {
	case t.IsPunct('('):
		p.depth++
	case t.IsPunct(')'):
		p.depth--
	}
	p.prev, p.last = p.last, t
}

// mayBeValue reports whether t must not be shown. next is the byte after it.
func (p *preceding) mayBeValue(t Token, next byte) bool {
	switch t.Kind {
	case String, Number, Invalid:
		return true
	case Quoted:
		return t.Text[0] != '`' && next != '.' && !p.expectsName() || t.Open || t.Doubtful ||
			strings.ContainsFunc(t.Text, func(r rune) bool { return r < ' ' || r == 0x7f })
	}
	return false
}

// expectsName reports whether no value can come next. FROM can also be in a
// function, TRIM(FROM "x"), or an operator, IS DISTINCT FROM "x".
func (p *preceding) expectsName() bool {
	switch {
	case p.last.Is("from"):
		return p.depth == 0 && !p.prev.Is("distinct")
	case p.last.Is("update"):
		return p.prev.Kind == EOF
	}
	return p.last.IsPunct('.') || p.last.IsAny("join", "into", "table")
}

// clip cuts text to max bytes, between two characters.
func clip(text string, max int) string {
	text = strings.ToValidUTF8(text, "?")
	switch n := max - len(ellipsis); {
	case len(text) <= max:
		return text
	case n >= 0:
		return strings.ToValidUTF8(text[:n], "") + ellipsis
	}
	return ""
}

// HideQuoted returns an error's text with an ellipsis for what stands between its first
// quotation mark and its last one: databases quote values there, which may have
// quotation marks in them.
func HideQuoted(text string) string {
	first, last := strings.IndexAny(text, `'"`), strings.LastIndexAny(text, `'"`)
	if first == last {
		return text
	}
	return text[:first+1] + ellipsis + text[last:]
}
