package overlay_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// Open has the driver's name already: with it once more SQLite would make a file of
// that name.
func TestOpenRefusesADSNWithTheDriversName(t *testing.T) {
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
