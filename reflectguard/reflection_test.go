package reflectguard_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/reflectguard"
)

type statement struct {
	line int
	text string
	want bool
}

func corpus(t testing.TB) (all []statement) {
	t.Helper()
	data, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		text, ok := strings.CutPrefix(line[1:], " ")
		if !ok && line[1:] != "" || line[0] != '+' && line[0] != '-' {
			t.Fatalf("line %d: %q", i+1, line)
		}
		all = append(all, statement{i + 1, strings.ReplaceAll(text, "⏎", "\n"), line[0] == '+'})
	}
	return all
}

func TestCorpus(t *testing.T) {
	all := corpus(t)
	for _, s := range all {
		if got := reflectguard.IsReflection(s.text); got != s.want {
			t.Errorf("corpus.txt:%d: %v, want %v: %s", s.line, got, s.want, s.text)
		}
	}
	if len(all) < 200 {
		t.Errorf("only %d statements", len(all))
	}
}

// Neither what surrounds a statement nor the case of its letters matters.
func TestCorpusInOtherSurroundings(t *testing.T) {
	for _, s := range corpus(t) {
		if strings.Contains(s.text, "$") || strings.Contains(s.text, "CREATE TRIGGER") {
			continue // tags are case sensitive, and the end of a body is not looked for
		}
		for _, around := range []string{"  %s", "/* it is */ %s", "-- so\n%s", "SELECT 1;\n%s", "%s\n;SELECT a FROM t"} {
			text := fmt.Sprintf(around, s.text)
			if open := strings.LastIndex(text, "/*"); open >= 0 && !strings.Contains(text[open:], "*/") {
				continue
			}
			if got := reflectguard.IsReflection(text); got != s.want {
				t.Errorf("corpus.txt:%d: %v, want %v: %s", s.line, got, s.want, text)
			}
		}
		for _, fold := range []func(string) string{strings.ToLower, strings.ToUpper} {
			if got := reflectguard.IsReflection(fold(s.text)); got != s.want {
				t.Errorf("corpus.txt:%d: %v, want %v: %s", s.line, got, s.want, fold(s.text))
			}
		}
	}
}

// The quick check misses nothing that reading would find.
func FuzzIsReflection(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add(s.text)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, read := reflectguard.IsReflection(query), reflectguard.Read(query)
		if got != read {
			t.Errorf("quick check %v, reading %v", got, read)
		}
	})
}

// These would take much longer if time grew with the square of the length.
func TestTimeIsLinear(t *testing.T) {
	const size = 1 << 17
	for _, piece := range []string{
		"(", "[", "$a", "$a$ ", "/*", "/*!", "'", "\\'", "a.", "a,", "a(", "from a,", "/**/ a", "a /**/", "desc a.", "show full ",
		"desc;", "create a ", "create;", "pragma ", ", pg_class ", ", pg_class as ", "from (", "#", "#>", "-- ;", "--\n", "u&\"",
		"pg_class/**/", "from information_schema/**/.", "with pg_class(",
	} {
		text := "select a from t where sqlite_;" + strings.Repeat(piece, size/len(piece))
		start := time.Now()
		reflectguard.IsReflection(text)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%q: %v", piece, d)
		}
	}
}

const ordinary = `SELECT u.id, u.name, count(*) FROM users AS u LEFT JOIN orders o ON o.user_id = u.id
	WHERE u.email = ? AND u.kind IN ('a', 'b') GROUP BY u.id ORDER BY 3 DESC LIMIT 10`

func TestIsReflectionAllocatesNothing(t *testing.T) {
	for _, s := range append(corpus(t), statement{text: ordinary}) {
		if n := testing.AllocsPerRun(10, func() { reflectguard.IsReflection(s.text) }); n != 0 {
			t.Errorf("%v allocations: %s", n, s.text)
		}
	}
}

func BenchmarkIsReflection(b *testing.B) {
	for _, c := range []struct{ name, query string }{
		{"short", "SELECT name FROM users WHERE id = ?"},
		{"ordinary", ordinary},
		{"long insert", "INSERT INTO users VALUES " + strings.Repeat("(?, ?, ?), ", 1000) + "(?, ?, ?)"},
		{"reflection", "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?"},
		{"in a string", "INSERT INTO log VALUES ('SELECT name FROM sqlite_master')"},
		{"nested", "SELECT sqlite_" + strings.Repeat("(", 10000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.query)))
			for b.Loop() {
				reflectguard.IsReflection(c.query)
			}
		})
	}
}
