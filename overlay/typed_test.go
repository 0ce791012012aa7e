package overlay_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

type stamped struct {
	ID int `db:"id"`
}

type typedUser struct {
	stamped
	Name  string
	Email sql.NullString
	Age   *int
	Note  string `db:"-"`
}

func TestCollectOneAndEach(t *testing.T) {
	e := typedEngine(t)
	const query = "SELECT 1 AS id, 'ann' AS NAME, NULL AS email, 30 AS age UNION ALL SELECT 2, 'bob', 'b@x', NULL"
	users := must(t, overlay.Collect[typedUser](background, e, query))
	if len(users) != 2 || users[0].ID != 1 || users[0].Name != "ann" || users[0].Email.Valid || *users[0].Age != 30 || users[1].Age != nil {
		t.Errorf("%+v", users)
	}
	if names := must(t, overlay.Collect[string](background, e, "SELECT 'a' UNION ALL SELECT 'b'")); fmt.Sprint(names) != "[a b]" {
		t.Error(names)
	}
	if u := must(t, overlay.One[typedUser](background, e, query)); u.Name != "ann" {
		t.Errorf("%+v", u)
	}
	if _, err := overlay.One[int](background, e, "SELECT 1 WHERE 0").Await(background); err != sql.ErrNoRows {
		t.Error(err)
	}
	n := 0
	for u, err := range overlay.Each[typedUser](background, must(t, e.StreamAsync(background, query))) {
		if n++; err != nil || u.ID != n {
			t.Errorf("%d: %+v, %v", n, u, err)
		}
	}
	if n != 2 {
		t.Errorf("%d rows", n)
	}
	at := must(t, overlay.One[sql.NullTime](background, e, "SELECT NULL"))
	if at.Valid || (at.Time != time.Time{}) {
		t.Error(at)
	}
}

// TestCollectNamesWhatDoesNotFit: columns and fields.
func TestCollectNamesWhatDoesNotFit(t *testing.T) {
	e := typedEngine(t)
	for query, want := range map[string]string{
		"SELECT 1 AS id, 'x' AS name, '' AS email, 1 AS age, 2 AS extra": `"extra"`,
		"SELECT 1 AS id, 'x' AS name":                                    "Email, Age",
		"SELECT 1 AS id, 1 AS id":                                        `"id"`,
	} {
		_, err := overlay.Collect[typedUser](background, e, query).Await(background)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func typedEngine(t *testing.T) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open("sqlite3", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(background) })
	return e
}

// A value that is no struct takes one column; the error says which there are.
func TestScalarsTakeOneColumn(t *testing.T) {
	e := oneLane(t)
	const query = "SELECT 1 AS id, 'ann' AS name"
	for name, err := range map[string]error{
		"map[string]interface {}": second(overlay.Collect[map[string]any](background, e, query).Await(background)),
		"*struct":                 second(overlay.Collect[*struct{ ID int }](background, e, query).Await(background)),
		"int":                     second(overlay.One[int](background, e, query).Await(background)),
	} {
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "id, name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
