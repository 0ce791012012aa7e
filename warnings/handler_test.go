package warnings_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/warnings"
)

// logged returns the log record that warn causes.
func logged(t *testing.T, warn func()) map[string]any {
	t.Helper()
	warnings.Forget()
	before := slog.Default()
	defer slog.SetDefault(before)
	var buf bytes.Buffer
	slog.SetDefault(slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{AddSource: true})))
	warn()
	var record map[string]any
	if err := json.Unmarshal(buf.Bytes(), &record); err != nil {
		t.Fatalf("%v in %q", err, buf.String())
	}
	return record
}

func TestTheDefaultHandlerLogsOneRecord(t *testing.T) {
	w := blocking("blocking call")
	w.Advice, w.Statement, w.Took = "use SyncDB()", "SELECT 'secret'", time.Second
	got := logged(t, func() { warnings.Warn(w) })
	for k, want := range map[string]any{
		"level": "WARN", "msg": "blocking call", "category": "BlockingWarning", "advice": "use SyncDB()",
		"site": w.Site.String(), "statement": "SELECT ?", "took": float64(time.Second),
	} {
		if got[k] != want {
			t.Errorf("%s: %v, want %v", k, got[k], want)
		}
	}
	source, _ := got["source"].(map[string]any)
	if source["file"] != w.Site.File() || source["line"] != float64(w.Site.Line()) {
		t.Errorf("source %v, want %v", source, w.Site)
	}
}

func TestTheLogHasTheUnseenError(t *testing.T) {
	got := logged(t, func() {
		warnings.Warn(&warnings.UnawaitedWarning{Info: warnings.Info{Message: "lost"}, Err: io.EOF})
	})
	if got["error"] != "EOF" || got["category"] != "UnawaitedWarning" {
		t.Errorf("%v", got)
	}
}

func TestTheLatestRemainingHandlerGetsTheWarnings(t *testing.T) {
	var first, second int
	filter(t, warnings.Always)
	undoFirst := warnings.SetHandler(func(warnings.Warning) { first++ })
	undoSecond := warnings.SetHandler(func(warnings.Warning) { second++ })
	warnings.Warn(blocking("m"))
	undoFirst()
	warnings.Warn(blocking("m"))
	undoSecond()
	undoSecond()
	if first != 0 || second != 2 {
		t.Errorf("first %d, second %d, want 0 and 2", first, second)
	}
	if got := logged(t, func() { warnings.Warn(blocking("m")) }); got["msg"] != "m" {
		t.Errorf("%v", got)
	}
}

func TestANilHandlerIsTheDefault(t *testing.T) {
	t.Cleanup(warnings.SetHandler(func(warnings.Warning) { t.Error("called") }))
	t.Cleanup(warnings.SetHandler(nil))
	if got := logged(t, func() { warnings.Warn(blocking("m")) }); got["msg"] != "m" {
		t.Errorf("%v", got)
	}
}
