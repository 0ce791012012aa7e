package conformance

import (
	"database/sql/driver"
	"runtime"
	"strings"
	"testing"
	"time"
)

// expectDetected expects that some case with the prefix finds the flaw.
func expectDetected(t *testing.T, s *suite, prefix string, text string) {
	t.Helper()
	compared := 0
	for _, c := range Cases() {
		if !strings.HasPrefix(c.Name, prefix) {
			continue
		}
		for _, kind := range c.all() {
			compared++
			if found := s.compare(c, kind); len(found) > 0 {
				if all := strings.Join(found, "\n"); !strings.Contains(all, text) {
					t.Errorf("%s on %v finds something else:\n%s", c.Name, kind, all)
				}
				return
			}
		}
	}
	t.Errorf("%d comparisons in %q found nothing", compared, prefix)
}

// expectFlaw expects that a wrapper is well but for the flaw.
func expectFlaw(t *testing.T, f flaw, prefix, text string) {
	t.Helper()
	expectDetected(t, newSuite(driverOpener(newMini(4, f).wrapDriver), nil), prefix, text)
}

func TestDetectsDroppedErrSkip(t *testing.T) {
	expectFlaw(t, "drops ErrSkip", "Skip/ToPrepared", "wrapped: ")
}

func TestDetectsForgottenOldDrivers(t *testing.T) {
	expectFlaw(t, "forgets old drivers", "Program/CommonKinds", `bare:    c1 Conn.Exec "echo"`)
}

func TestDetectsHiddenConnChecker(t *testing.T) {
	expectFlaw(t, "hides the connection's checker", "Checkers/Actions", "Conn.CheckNamedValue")
}

func TestDetectsLostColumnConverter(t *testing.T) {
	expectFlaw(t, "loses ColumnConverter", "Args/Values", "Converter.ConvertValue")
}

func TestDetectsUncountedArguments(t *testing.T) {
	expectFlaw(t, "does not count arguments", "Args/WrongNumber", "expected 2 arguments, got 0")
}

func TestDetectsDroppedNames(t *testing.T) {
	expectFlaw(t, "drops names", "Args/Named", "does not support the use of Named Parameters")
}

func TestDetectsLostTxOptions(t *testing.T) {
	expectFlaw(t, "loses TxOptions", "Tx/Options", "")
}

func TestDetectsSwallowedRowsCloseError(t *testing.T) {
	expectFlaw(t, "swallows Rows.Close errors", "Rows/CloseError", "drivertest: close failed")
}

func TestDetectsReorderedCalls(t *testing.T) {
	expectFlaw(t, "closes the statement first", "Rows/LeftEarly", "driver calls differ")
}

func TestDetectsLeakedStatements(t *testing.T) {
	expectFlaw(t, "leaks statements", "Program/CommonKinds", "left open: c1.s1")
}

func TestDetectsFakedSessionMethods(t *testing.T) {
	expectFlaw(t, "fakes session methods", "EndedTx/Idle", "pool rolled back")
}

func TestDetectsDroppedSessionMethods(t *testing.T) {
	expectFlaw(t, "drops session methods", "Session/ResetFails", "Conn.ResetSession")
	expectFlaw(t, "drops session methods", "Session/UnfitMeanwhile", "Conn.")
}

func TestDetectsWrappedErrors(t *testing.T) {
	expectFlaw(t, "wraps errors", "Rows/ErrorAt", "drivertest: row failed")
}

func TestDetectsSharedBuffers(t *testing.T) {
	expectFlaw(t, "shares buffers", "Rows/ReusedBuffer", "kept")
}

func TestDetectsErrorBeforeItsRow(t *testing.T) {
	expectFlaw(t, "hurries errors", "Rows/ErrorAt", "drivertest: row failed")
}

func TestDetectsSwallowedPanics(t *testing.T) {
	expectFlaw(t, "swallows panics", "Panics/Rows.Next", "panic")
}

func TestDetectsHiddenResultSets(t *testing.T) {
	expectFlaw(t, "hides result sets", "Sets/All", "columns []string([set id])")
}

func TestDetectsStaleColumns(t *testing.T) {
	expectFlaw(t, "remembers columns", "Sets/All", "")
}

func TestDetectsLostColumnTypes(t *testing.T) {
	expectFlaw(t, "loses column types", "Columns/Types", "SET1_TYPE0")
}

func TestDetectsForgottenConnectorClose(t *testing.T) {
	expectFlaw(t, "forgets the connector's Close", "Connector/Close", "connector closes int(1)")
}

func TestDetectsHiddenDriver(t *testing.T) {
	expectFlaw(t, "hides the driver", "Connector/Driver", "DB.Driver is the driver bool(false)")
}

func TestDetectsDroppedContexts(t *testing.T) {
	expectFlaw(t, "drops contexts", "Context/ComesThrough", "ctx:value=value")
}

func TestDetectsRunningWhatWasCancelled(t *testing.T) {
	expectFlaw(t, "runs what was cancelled", "Context/EndedBefore", "")
}

// The mini wrapper calls on whatever thread the program's goroutine has.
func TestDetectsCallsOnAnotherThread(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads have no id here")
	}
	s := newSuite(driverOpener(newMini(4).wrapDriver), []Option{OneThread()})
	expectDetected(t, s, "Pool/Waiting", "thread")
}

// Reading ahead is a flaw of a wrapper that promises not to.
func TestDetectsReadingAheadInLazyMode(t *testing.T) {
	s := newSuite(driverOpener(newMini(4).wrapDriver), []Option{Lazy()})
	expectDetected(t, s, "Rows/LeftEarly", "Rows.Next")
}

// Rows held back by one that does not come are met by a wrapper that cannot
// hand over a part of its batch.
func TestDetectsRowsHeldBack(t *testing.T) {
	s := newSuite(driverOpener(newMini(4).wrapDriver), []Option{impatient})
	expectDetected(t, s, "Rows/Blocked", "waited in vain for the rows that there are")
}

func TestDetectsHanging(t *testing.T) {
	d := hangingDriver{make(chan struct{})}
	defer close(d.over)
	hang := func(driver.Driver) driver.Driver { return d }
	expectDetected(t, newSuite(driverOpener(hang), []Option{impatient}), "Tx/Ends", "it hangs")
}

// hangingDriver answers when the test is over.
type hangingDriver struct{ over chan struct{} }

func (d hangingDriver) Open(string) (driver.Conn, error) {
	<-d.over
	return nil, driver.ErrBadConn
}

func impatient(s *suite) { s.patience = 200 * time.Millisecond }

// A random program finds a flaw that is in no case's name.
func TestDetectsAtRandom(t *testing.T) {
	s := newSuite(driverOpener(newMini(4, "remembers columns").wrapDriver), nil)
	kind := commonKinds[6] // Modern
	program := []step{{do: "query", query: "sets 2x2"}, {do: "nextSet"}, {do: "columns"}}
	body := func(e *Env) { newMachine(e).run(program) }
	if found := s.differences(s.play(s.bare, kind, body), s.play(s.wrapped, kind, body), false); len(found) == 0 {
		t.Error("found nothing")
	}
}
