package sqltext

import "strings"

// beforeParen are words that stand before a parenthesis in a query that only reads:
// keywords, and functions that databases have in common and that change nothing.
var beforeParen = func() map[string]bool {
	known := map[string]bool{}
	for _, words := range []string{
		"all and any as between by case distinct else end except exists filter from group having in intersect into is join",
		"lateral like limit not offset on or order over partition recursive select set then union using values when where with within",
		"bigint binary char character date datetime decimal double float int integer numeric real signed text time timestamp unsigned varchar",
		"abs avg cast ceil ceiling char_length coalesce concat concat_ws convert count cume_dist date_add date_format date_sub datediff",
		"day dense_rank exp extract first_value floor format from_unixtime greatest group_concat hex hour if ifnull iif instr json_array",
		"json_extract json_object julianday lag last_value lead least left length ln locate log lower lpad ltrim max md5 min minute mod",
		"month now ntile nullif pow power printf quote rand random rank repeat replace right round row_number rpad rtrim second sha1 sha2",
		"sqrt strftime substr substring sum timestampdiff total trim typeof unhex unix_timestamp upper year",
	} {
		for _, w := range strings.Fields(words) {
			known[w] = true
		}
	}
	return known
}()

// onlyKnownCalls reports whether the word before each parenthesis is known, and is the
// whole name. It does not look for strings, and not into comments: it says no if
// there are any.
func onlyKnownCalls(text string) bool {
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '(')
		if i < 0 {
			return true
		}
		if from == 0 && (strings.Contains(text, "/*") || strings.Contains(text, "--") || strings.Contains(text, "#")) {
			return false
		}
		end := from + i
		from = end + 1
		for end > 0 && classOf[text[end-1]] == space {
			end--
		}
		start := end
		for start > 0 && (IsWordByte(text[start-1]) || strings.IndexByte("`\"$.", text[start-1]) >= 0) {
			start--
		}
		if start < end && !known(text[start:end]) && !namesTable(text[from:]) {
			return false
		}
	}
}

// namesTable reports whether the parenthesis that begins before rest holds the
// columns of a common table: x(a, b) AS (SELECT ...).
func namesTable(rest string) bool {
	_, rest, _ = strings.Cut(rest, ")")
	s := New(rest, Unknown)
	if !s.NextSignificant().Is("as") {
		return false
	}
	t := s.NextSignificant()
	for t.IsAny("not", "materialized") {
		t = s.NextSignificant()
	}
	return t.IsPunct('(')
}

func known(word string) bool {
	var lower [16]byte
	if len(word) > len(lower) {
		return false
	}
	for i := range len(word) {
		c := word[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	return beforeParen[string(lower[:len(word)])]
}
