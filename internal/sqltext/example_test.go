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

func ExampleReturnsRows() {
	fmt.Println(sqltext.ReturnsRows("INSERT INTO t VALUES ('RETURNING')", sqltext.SQLite))
	fmt.Println(sqltext.ReturnsRows("INSERT INTO t VALUES (1) RETURNING id", sqltext.SQLite))
	// Output:
	// false
	// true
}
