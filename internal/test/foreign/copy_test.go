package main

import "testing"

func TestRedirectChangesCallsOnly(t *testing.T) {
	const in = `package p

import "database/sql"

// sql.Open("a", "b") in a comment
func f() {
	db, _ := sql.Open("a", ` + "`sql.Open(`" + `)
	db = sql.OpenDB(nil)
	_ = "sql.Open("
	c.Raw(func(any) error { _, err := sql.Open("x", "y"); return err })
	r.Raw(1)
	_, _ = sql.Drivers(), db
}
`
	const want = `package p

import "database/sql"

// sql.Open("a", "b") in a comment
func f() {
	db, _ := ShimOpen("a", ` + "`sql.Open(`" + `)
	db = ShimOpenDB(nil)
	_ = "sql.Open("
	ShimRaw(c, func(any) error { _, err := ShimOpen("x", "y"); return err })
	r.Raw(1)
	_, _ = sql.Drivers(), db
}

var _ *sql.DB
`
	got, calls, err := redirect([]byte(in), "p")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want || calls != 4 {
		t.Errorf("%d calls, got\n%s", calls, got)
	}
}

func TestRedirectLeavesOtherPackagesAlone(t *testing.T) {
	const in = "package p_test\n\nvar db, _ = sql.Open(\"a\", \"b\")\n"
	got, calls, err := redirect([]byte(in), "p")
	if err != nil || calls != 0 || string(got) != in {
		t.Errorf("%d calls, %v, got\n%s", calls, err, got)
	}
}
