package sqltext_test

import (
	"fmt"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

func ExampleScanner() {
	s := sqltext.New("SELECT 'it''s' -- a string", sqltext.SQLite)
	for t := s.Next(); t.Kind != sqltext.EOF; t = s.Next() {
		fmt.Println(t.Start, t.Text)
	}
	// Output:
	// 0 SELECT
	// 7 'it''s'
	// 15 -- a string
}

func ExampleToken() {
	s := sqltext.New(`"Users"`, sqltext.PostgreSQL)
	t := s.Next()
	fmt.Println(t.Name(), t.IsNamed("users"), t.Is("users"))
	// Output: Users true false
}

func ExampleDialect() {
	const query = `SELECT 'C:\' AS path`
	for _, d := range []sqltext.Dialect{sqltext.SQLite, sqltext.MySQL} {
		s := sqltext.New(query, d)
		s.Next()
		fmt.Println(s.Next().Text)
	}
	// Output:
	// 'C:\'
	// 'C:\' AS path
}

func ExampleReturnsRows() {
	fmt.Println(sqltext.ReturnsRows("INSERT INTO t VALUES ('RETURNING')", sqltext.SQLite))
	fmt.Println(sqltext.ReturnsRows("INSERT INTO t VALUES (1) RETURNING id", sqltext.SQLite))
	// Output:
	// false
	// true
}

func ExampleKind() {
	s := sqltext.New("a = ?", sqltext.SQLite)
	for t := s.Next(); t.Kind != sqltext.EOF; t = s.Next() {
		switch t.Kind {
		case sqltext.Word:
			fmt.Println("word", t.Text)
		case sqltext.Placeholder:
			fmt.Println("placeholder", t.Text)
		}
	}
	// Output:
	// word a
	// placeholder ?
}
