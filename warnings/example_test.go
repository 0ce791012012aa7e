package warnings_test

import (
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/sqlaio/sqlaio/warnings"
)

// reflect is some function that warns.
func reflect() error {
	const message = "blocking reflection on an async engine"
	if warnings.Decide(warnings.Blocking, message, warnings.Site{}) == warnings.Ignore {
		return nil
	}
	return warnings.Warn(&warnings.BlockingWarning{Info: warnings.Info{
		Message:   message,
		Advice:    "use SyncDB()",
		Statement: "PRAGMA table_info(?)",
	}})
}

func Example() {
	undo := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))
	defer undo()
	err := reflect()
	var w *warnings.BlockingWarning
	fmt.Println(errors.As(err, &w))
	fmt.Println(w.Message)
	fmt.Println(w.Advice)
	// Output:
	// true
	// blocking reflection on an async engine
	// use SyncDB()
}

func ExampleSetHandler() {
	undo := warnings.SetHandler(func(w warnings.Warning) {
		d := w.Details()
		fmt.Printf("%s: %s (%s)\n", w.Category(), d.Message, path.Base(d.Site.File()))
	})
	defer undo()
	for range 3 {
		reflect() // shown once: it is one call site
	}
	// Output: BlockingWarning: blocking reflection on an async engine (example_test.go)
}

func ExampleFilter() {
	off := warnings.Filter(warnings.Ignore)
	strict := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))
	fmt.Println(reflect() != nil)
	strict()
	fmt.Println(reflect() != nil)
	off()
	// Output:
	// true
	// false
}

func ExampleMatch() {
	undo := warnings.Filter(warnings.Error, warnings.FromPackage("example.com/ui/..."))
	defer undo()
	fmt.Println(warnings.Decide(warnings.Blocking, "m", warnings.Site{}))
	// Output: default
}

func ExampleAction() {
	fmt.Println(warnings.Default, warnings.Always, warnings.Once, warnings.Ignore, warnings.Error)
	// Output: default always once ignore error
}

func ExampleDecide() {
	undo := warnings.Filter(warnings.Ignore, warnings.OfCategory(warnings.Resource))
	defer undo()
	fmt.Println(warnings.Decide(warnings.Resource, "left open", warnings.Site{}))
	// Output: ignore
}

// A cleanup has no call that could fail.
func ExampleShow() {
	defer warnings.Filter(warnings.Error)()
	defer warnings.SetHandler(func(w warnings.Warning) { fmt.Println(w.Details().Message) })()
	warnings.Show(&warnings.ResourceWarning{Info: warnings.Info{Message: "result never closed"}})
	// Output: result never closed
}

// The warning about a connection that was never closed says where it was opened.
func ExampleSite() {
	opened := warnings.Caller()
	w := &warnings.ResourceWarning{Info: warnings.Info{Message: "never closed", Site: opened}}
	fmt.Println(path.Base(w.Site.File()), w.Site.Function())
	// Output: example_test.go github.com/sqlaio/sqlaio/warnings_test.ExampleSite
}

func ExampleInfo() {
	w := &warnings.DeprecationWarning{Info: warnings.Info{Message: "Old will be removed", Advice: "use New"}}
	fmt.Println(w)
	fmt.Println(w.Details().Advice)
	// Output:
	// DeprecationWarning: Old will be removed (use New)
	// use New
}

func ExampleUnawaitedWarning() {
	w := &warnings.UnawaitedWarning{Info: warnings.Info{Message: "future never awaited"}, Err: errors.New("disk full")}
	fmt.Println(w)
	// Output: UnawaitedWarning: future never awaited: disk full
}

// A test passes its *testing.T.
func ExampleRecord() {
	var t testEnd
	r := warnings.Record(&t)
	reflect()
	for _, w := range r.All() {
		fmt.Println(w.Details().Message)
	}
	t.end()
	// Output: blocking reflection on an async engine
}

type testEnd struct{ end func() }

func (t *testEnd) Helper()          {}
func (t *testEnd) Cleanup(f func()) { t.end = f }

// Anything that begins and ends can record, such as a job of a scheduler.
func ExampleTB() {
	var job testEnd
	var t warnings.TB = &job
	r := warnings.Record(t)
	reflect()
	job.end()
	reflect() // after the job: not recorded
	fmt.Println(len(r.All()))
	// Output: 1
}

func ExampleWarning() {
	var w warnings.Warning = &warnings.ResourceWarning{Info: warnings.Info{Message: "never closed"}}
	fmt.Println(w.Category(), "-", w.Details().Message)
	// Output: ResourceWarning - never closed
}

func ExampleCategory() {
	undo := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Unawaited))
	defer undo()
	err := warnings.Warn(&warnings.UnawaitedWarning{Info: warnings.Info{Message: "future never awaited"}})
	fmt.Println(err != nil)
	// Output: true
}

// How long it took is not part of the message, which is constant.
func ExampleBlockingWarning() {
	w := &warnings.BlockingWarning{Info: warnings.Info{Message: "blocking call"}, Took: 30 * time.Millisecond}
	fmt.Println(w)
	// Output: BlockingWarning: blocking call, for 30ms
}

func ExampleResourceWarning() {
	w := &warnings.ResourceWarning{Info: warnings.Info{Message: "result never closed", Statement: "SELECT a FROM t"}}
	fmt.Println(w)
	// Output: ResourceWarning: result never closed: SELECT a FROM t
}

func ExampleDeprecationWarning() {
	w := &warnings.DeprecationWarning{Info: warnings.Info{Message: "Old will be removed", Advice: "use New"}}
	fmt.Println(w)
	// Output: DeprecationWarning: Old will be removed (use New)
}

func ExampleRecording() {
	var t testEnd
	r := warnings.Record(&t)
	reflect()
	fmt.Println(len(r.Matching(warnings.OfCategory(warnings.Blocking))))
	r.Reset()
	fmt.Println(len(r.All()))
	t.end()
	// Output:
	// 1
	// 0
}
