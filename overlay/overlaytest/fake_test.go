package overlaytest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay/overlaytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener")) // of the overlay, which keeps one to convert rows
}

var (
	_ overlaytest.TB = (*testing.T)(nil)
	_ overlaytest.TB = (*testing.F)(nil)
)

// fake is a test that may fail.
type fake struct {
	cleanups []func()
	errors   []string
}

func newFake() *fake { return new(fake) }

func (f *fake) Helper()           {}
func (f *fake) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *fake) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fake) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// end ends the test.
func (f *fake) end() {
	for len(f.cleanups) > 0 {
		last := len(f.cleanups) - 1
		fn := f.cleanups[last]
		f.cleanups = f.cleanups[:last]
		fn()
	}
}

// wantErrors fails t unless the fake has failed once for each text, in order.
func (f *fake) wantErrors(t *testing.T, texts ...string) {
	t.Helper()
	match := len(f.errors) == len(texts)
	for i := range min(len(f.errors), len(texts)) {
		match = match && strings.Contains(f.errors[i], texts[i])
	}
	if !match {
		t.Errorf("the test failed with %q, want %q", f.errors, texts)
	}
}
