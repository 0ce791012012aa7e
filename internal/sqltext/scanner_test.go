package sqltext_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

const (
	u = sqltext.Unknown
	l = sqltext.SQLite
	m = sqltext.MySQL
	p = sqltext.PostgreSQL
)

// in lists the dialects that a case is about.
type in []sqltext.Dialect

var all = in{u, l, m, p}

var letters = map[sqltext.Kind]string{
	sqltext.Word: "w", sqltext.Quoted: "q", sqltext.String: "s", sqltext.Number: "n", sqltext.Placeholder: "p",
	sqltext.Operator: "o", sqltext.Punct: ".", sqltext.Comment: "c", sqltext.Invalid: "!",
}

// render writes each token as kind and text; + means open, ~ doubtful.
func render(text string, d sqltext.Dialect) string {
	var out []string
	s := sqltext.New(text, d)
	for t := s.Next(); t.Kind != sqltext.EOF; t = s.Next() {
		flags := ""
		if t.Open {
			flags += "+"
		}
		if t.Doubtful {
			flags += "~"
		}
		out = append(out, letters[t.Kind]+flags+"<"+t.Text+">")
	}
	return strings.Join(out, " ")
}

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		in   in
		text string
		want string
	}{
		{all, "", ""},
		{all, " \t\r\n\f\v", ""},
		{all, "SELECT a_1, t.b FROM é", "w<SELECT> w<a_1> .<,> w<t> .<.> w<b> w<FROM> w<é>"},
		{all, "'a''b' ''", "s<'a''b'> s<''>"},
		{all, "'a", "s+<'a>"},
		{all, "'a''", "s+<'a''>"},
		{all, "1 2.5 .5 1e5 1E-5 0x1F t.1", "n<1> n<2.5> n<.5> n<1e5> n<1E-5> n<0x1F> w<t> .<.> n<1>"},
		{all, "0xe-1 1-2", "n<0xe> o<-> n<1> n<1> o<-> n<2>"},
		{all, "a<=b||c", "w<a> o<<=> w<b> o<||> w<c>"},
		{all, "a -- 'x'\nb", "w<a> c<-- 'x'> w<b>"},
		{all, "a --", "w<a> c<-->"},
		{all, "1-/*x*/2", "n<1> o<-> c</*x*/> n<2>"},
		{all, "/**/ /***/ /*/ */", "c</**/> c</***/> c</*/ */>"},
		{all, "X'AB'", "s<X'AB'>"},
		{all, "?", "p<?>"},
		{all, "a;b", "w<a> .<;> w<b>"},
		{all, "\x00\\", "!<\x00> !<\\>"},

		// Backslashes.
		{in{l, p}, `'a\' b`, `s<'a\'> w<b>`},
		{in{m}, `'a\' b' c`, `s<'a\' b'> w<c>`},
		{in{u}, `'a\' b`, `s~<'a\'> w<b>`},
		{in{u}, `'a\'' b'`, `s~<'a\'' b'>`},
		{all, `'a\\' b`, `s<'a\\'> w<b>`},
		{in{m}, `'a\\\' b'`, `s<'a\\\' b'>`},
		{in{p}, `E'a\' b' c`, `s<E'a\' b'> w<c>`},
		{in{u}, `E'a\' b' c`, `s~<E'a\' b'> w<c>`},
		{in{l, m}, `E'a'`, `w<E> s<'a'>`},

		// Quotes.
		{in{u, l, p}, `"a""b"`, `q<"a""b">`},
		{in{m}, `"a""b" "c\"d"`, `s<"a""b"> s<"c\"d">`},
		{in{u, l, m}, "`a``b\\`", "q<`a``b\\`>"},
		{in{p}, "`", "!<`>"},
		{in{l}, "[a 'b] [c", "q<[a 'b]> q+<[c>"},
		{in{u}, "[1] [-1]", ".<[> n<1> .<]> .~<[> o<-> n<1> .<]>"},
		{in{u, m, p}, "a[1]", "w<a> .<[> n<1> .<]>"},
		{in{p, u}, `U&'x' u&"y" u & v`, `s<U&'x'> q<u&"y"> w<u> o<&> w<v>`},
		{in{m, p}, `N'x' b'1'`, `s<N'x'> s<b'1'>`},
		{in{m}, `N'a\' b' c`, `s<N'a\' b'> w<c>`},
		{in{p}, `N'a\' b`, `s<N'a\'> w<b>`},
		{in{m}, `_utf8'x'`, `w<_utf8> s<'x'>`},

		// Dollars.
		{in{p}, "$$a'b$$ $x$ $$ $x$", "s<$$a'b$$> s<$x$ $$ $x$>"},
		{in{u}, "$$a'b$$ $x$ $$ $x$", "s~<$$a'b$$> s<$x$ $$ $x$>"},
		{in{p, u}, "$a$b", "s+<$a$b>"},
		{in{p, u, l}, "$1 $12", "p<$1> p<$12>"},
		{in{l, u}, "$name", "p<$name>"},
		{in{l}, "$1a", "p<$1a>"},
		{in{p, u}, "$1a", "p<$1> w<a>"},
		{in{p}, "$name", "!<$> w<name>"},
		{in{m}, "$$a$b", "w<$$a$b>"},
		{in{p}, "a$$b", "w<a$$b>"},

		// Comments.
		{in{p}, "/* /* */ */ a", "c</* /* */ */> w<a>"},
		{in{l, m}, "/* /* */ a", "c</* /* */> w<a>"},
		{in{u}, "/* /* */ a", "c~</* /* */> w<a>"},
		{in{p}, "/* /* */ a", "c+</* /* */ a>"},
		{in{m, p, u}, "/* a", "c+</* a>"},
		{in{l}, "/* a", "c</* a>"},
		{in{m}, "5--1 a#b\nc", "n<5> o<--> n<1> w<a> c<#b> w<c>"},
		{in{l, p}, "5--1\n2", "n<5> c<--1> n<2>"},
		{in{u}, "5--1\n2--'", "n<5> c<--1> n<2> c~<--'>"},
		{in{p}, "a #> b # c", "w<a> o<#>> w<b> o<#> w<c>"},
		{in{u}, "a #> b # c", "w<a> o~<#>> w<b> c<# c>"},
		{in{u}, "# it's", "c~<# it's>"},
		{in{l}, "#1", "!<#> n<1>"},
		{in{m}, "/*!50100 a */ b", "c</*!50100> w<a> c<*/> w<b>"},
		{in{m}, "/*M!100100 a*/", "c</*M!100100> w<a> c<*/>"},
		{in{m}, "/*! a '*/' /* b */ 1**/ c", "c</*!> w<a> s<'*/'> c</* b */> n<1> o<*> c<*/> w<c>"},
		{in{m}, "a */ b", "w<a> o<*/> w<b>"},
		{in{u}, "/*! a */ /*!'*/", "c</*! a */> c~</*!'*/>"},

		// Placeholders and variables.
		{in{u, l}, ":a ?1 @b", "p<:a> p<?1> p<@b>"},
		{in{p, u}, "a::int", "w<a> o<::> w<int>"},
		{in{m}, "@a:=1 @@g.x a@'h'", "p<@a> o<:=> n<1> p<@@g> .<.> w<x> w<a> o<@> s<'h'>"},
		{in{m, l, u}, "a=@b", "w<a> o<=> p<@b>"},
		{in{p}, "a @> b", "w<a> o<@>> w<b>"},
	} {
		for _, d := range c.in {
			t.Run(fmt.Sprint(d, " ", c.text), func(t *testing.T) {
				if got := render(c.text, d); got != c.want {
					t.Errorf("\n got %s\nwant %s", got, c.want)
				}
			})
		}
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		`Users`: "users", `"Users"`: "users", "`Users`": "users", `U&"Users"`: "users", `"us`: "us", `""`: "",
	} {
		s := sqltext.New(text, sqltext.Unknown)
		tok := s.Next()
		if !tok.IsName() || !tok.IsNamed(want) {
			t.Errorf("%s is named %q, want %q", text, tok.Name(), want)
		}
	}
	s := sqltext.New("[Users]", sqltext.SQLite)
	if tok := s.Next(); !tok.IsNamed("users") {
		t.Errorf("%q", tok.Name())
	}
	s = sqltext.New(`"select"`, sqltext.SQLite)
	if tok := s.Next(); tok.Is("select") {
		t.Error("a name in quotes is not a keyword")
	}
	s = sqltext.New("\u212Aey", sqltext.SQLite) // Kelvin sign
	if tok := s.Next(); tok.Is("key") {
		t.Error("only ASCII letters have two cases")
	}
}

const ordinary = `SELECT u.id, u."name", count(*) FROM users AS u LEFT JOIN orders o ON o.user_id = u.id
	WHERE u.email = ? AND u.kind IN ('a', 'b''c') AND o.total > 12.5 -- big ones
	GROUP BY u.id ORDER BY 3 DESC LIMIT 10`

func TestScanningAllocatesNothing(t *testing.T) {
	for _, d := range all {
		if n := testing.AllocsPerRun(100, func() {
			s := sqltext.New(ordinary, d)
			for s.NextSignificant().Kind != sqltext.EOF {
			}
			sqltext.ReturnsRows(ordinary, d)
		}); n != 0 {
			t.Errorf("dialect %d: %v allocations", d, n)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	b.SetBytes(int64(len(ordinary)))
	for b.Loop() {
		s := sqltext.New(ordinary, sqltext.SQLite)
		for s.NextSignificant().Kind != sqltext.EOF {
		}
	}
}

// pieces are texts that can make a scanner slow when repeated.
var pieces = []string{
	"$a", "$a$ ", "/*", "/*/", "/*!", "/**/", "'", "-", "--", "(", "\\'", "#", "#>", "[", "[]", "1e", "1e+", "u&", "e'", "@@", ":", "`",
	"with(", "a ", ";", "update a set returning",
}

// These would take much longer if time grew with the square of the length.
func TestTimeIsLinear(t *testing.T) {
	const size = 1 << 17
	for _, piece := range pieces {
		text := strings.Repeat(piece, size/len(piece))
		start := time.Now()
		for _, d := range all {
			s := sqltext.New(text, d)
			for s.Next().Kind != sqltext.EOF {
			}
			sqltext.ReturnsRows(text, d)
		}
		sqltext.Shorten(text, size)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%q: %v", piece, d)
		}
	}
}

// BenchmarkLinear shows the same speed for every length and text.
func BenchmarkLinear(b *testing.B) {
	for _, piece := range pieces {
		for _, n := range []int{1 << 10, 1 << 16} {
			text := strings.Repeat(piece, n/len(piece))
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(piece, "/", "slash"), n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					for _, d := range all {
						s := sqltext.New(text, d)
						for s.Next().Kind != sqltext.EOF {
						}
					}
				}
			})
		}
	}
}
