package sqlite3

import (
	"context"
	"database/sql"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	db, err := sql.Open("aio", "sqlite3:"+t.TempDir()+"/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table u(id integer primary key, name text, x real, b blob, d datetime)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if _, err := tx.Exec("insert into u(name,x,b,d) values(?,?,?,?)", "n", 1.5*float64(i), []byte("abc"), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("select * from u")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
		var id int
		var name string
		var x float64
		var b []byte
		var d time.Time
		if err := rows.Scan(&id, &name, &x, &b, &d); err != nil {
			t.Fatal(err)
		}
		if id != n || string(b) != "abc" {
			t.Fatal(id, n)
		}
	}
	if rows.Err() != nil || n != 1000 {
		t.Fatal(n, rows.Err())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = db.ExecContext(ctx, "with recursive c(x) as (select 1 union all select x+1 from c where x<1000000000) select count(*) from c")
	t.Log(err, time.Since(start))
	var s int
	if err := db.QueryRow("select count(*) from u").Scan(&s); err != nil || s != 1000 {
		t.Fatal(err, s)
	}
}
