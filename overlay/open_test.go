package overlay_test

import (
	"path/filepath"
	"strings"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// Open has the driver's name already: with it once more SQLite would make a file of
// that name.
func TestOpenRefusesADSNWithTheDriversName(t *testing.T) {
	for _, dsn := range []string{"mysql:u:secret@tcp(h)/d", "aio:sqlite3:x.db"} {
		if _, err := overlay.Open("sqlite3", dsn); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "names a driver") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	e, err := overlay.Open("sqlite3", "sqlite3:x.db")
	if err == nil {
		e.Shutdown(background)
		t.Fatal("it was taken")
	}
	for _, text := range []string{`begins with "sqlite3:"`, `overlay.Open("sqlite3", "app.db")`} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %s in: %v", text, err)
		}
	}
	for _, dsn := range []string{"sqlite3.db", "file:" + filepath.Join(t.TempDir(), "sqlite3:x.db")} {
		e, err := overlay.Open("sqlite3", dsn)
		if err != nil {
			t.Fatalf("%q: %v", dsn, err)
		}
		noError(t, e.Shutdown(background))
	}
}

// The error of a driver that is not there says nothing of other forms of dsn, and shows
// no password.
func TestOpenWithoutItsDriver(t *testing.T) {
	for name, text := range map[string]string{
		"no-such":                `"no-such" is not registered (forgotten import?)`,
		"u:secret@tcp(h)/db":     "the first argument",
		"host=h password=secret": "the first argument",
	} {
		_, err := overlay.Open(name, "secret")
		wantError(t, err, aio.ErrNoDriver)
		if err != nil && (!strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "as in")) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A nil function is an error, before anything is begun.
func TestNilFunctions(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	for name, err := range map[string]error{
		"Engine.WithTx":      e.WithTx(background, nil, nil),
		"Engine.RetryTx":     e.RetryTx(background, nil, nil),
		"Engine.WithConn":    e.WithConn(background, nil),
		"Engine.RunCallable": e.RunCallable(background, nil),
		"Conn.WithTx":        c.WithTx(background, nil, nil),
		"Conn.WithNested":    c.WithNested(background, nil),
		"Conn.RunCallable":   c.RunCallable(background, nil),
		"RunInThread":        failure(t, overlay.RunInThread[int](background, e, nil)),
		"Then":               failure(t, overlay.Then[int64, int](overlay.Scalar[int64](background, e, "SELECT 1"), nil)),
	} {
		if err == nil || err.Error() != "overlay: the function is nil" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	must(t, c.CloseAsync(background))
}
