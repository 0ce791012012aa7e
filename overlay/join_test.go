package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
	"github.com/sqlaio/sqlaio/warnings"
)

func two(n int, s string) (string, error) { return fmt.Sprint(s, n), nil }

func three(n int, s string, b bool) (string, error) { return fmt.Sprint(s, n, b), nil }

func TestJoinGivesTheFunctionAllValues(t *testing.T) {
	e := oneLane(t)
	n := overlay.Scalar[int](background, e, "SELECT 7")
	s := overlay.Scalar[string](background, e, "SELECT 'seven'")
	b := overlay.Scalar[bool](background, e, "SELECT true")
	for range 2 { // under way, and complete
		if got := must(t, overlay.Join2(n, s, two)); got != "seven7" {
			t.Error(got)
		}
		if got := must(t, overlay.Join3(n, s, b, three)); got != "seven7 true" {
			t.Error(got)
		}
	}
}

// Join fails at once, like All, with the first error, and cancels what is under way.
func TestJoinFailsWithTheFirst(t *testing.T) {
	never := func(int, string) (string, error) { t.Error("called"); return "", nil }
	e, _ := onFile(t)
	conn := must(t, e.ConnectAsync(background))
	defer conn.CloseAsync(background)
	release := occupy(t, conn)
	defer release()
	waits := overlay.Scalar[int](background, conn, "SELECT 1")
	fails := overlay.Scalar[string](background, e, "SELECT nowhere")
	err := failure(t, overlay.Join2(waits, fails, never))
	if !strings.Contains(err.Error(), "no such column") {
		t.Error(err)
	}
	wantError(t, failure(t, waits), context.Canceled)
}

func TestJoinIsCancelledWithItsParts(t *testing.T) {
	e := oneLane(t)
	release := occupy(t, e)
	defer release()
	n, s := overlay.Scalar[int](background, e, "SELECT 1"), overlay.Scalar[string](background, e, "SELECT 2")
	b := overlay.Scalar[bool](background, e, "SELECT 3")
	f := overlay.Join3(n, s, b, three)
	f.Cancel()
	wantError(t, failure(t, f), context.Canceled)
	wantError(t, failure(t, n), context.Canceled)
	wantError(t, failure(t, s), context.Canceled)
	wantError(t, failure(t, b), context.Canceled)
}

func TestJoinsFunctionMayFailOrPanic(t *testing.T) {
	e := oneLane(t)
	n, s := overlay.Scalar[int](background, e, "SELECT 1"), overlay.Scalar[string](background, e, "SELECT 2")
	boom := errors.New("boom")
	wantError(t, failure(t, overlay.Join2(n, s, func(int, string) (int, error) { return 0, boom })), boom)
	var p *threadpin.PanicError
	if err := failure(t, overlay.Join2(n, s, func(int, string) (int, error) { panic("boom") })); !errors.As(err, &p) {
		t.Error(err)
	}
}

// Whoever looks at the error of a join has looked at those of its parts.
func TestJoinSeesItsPartsErrors(t *testing.T) {
	for _, look := range []bool{true, false} {
		recorded := warnings.Record(t)
		e := oneLane(t)
		func() {
			n, s := overlay.Scalar[int](background, e, "SELECT x"), overlay.Scalar[string](background, e, "SELECT x")
			<-n.Done()
			<-s.Done()
			f := overlay.Join2(n, s, two)
			<-f.Done()
			if look {
				failure(t, f)
			}
		}()
		if look {
			for range 5 {
				runtime.GC()
			}
			if all := recorded.All(); len(all) > 0 {
				t.Errorf("warned of %v", all)
			}
			continue
		}
		until(t, "the warning", func() bool { runtime.GC(); return len(recorded.All()) > 0 })
		for range 5 {
			runtime.GC()
		}
		if all := recorded.All(); len(all) != 1 || !strings.HasSuffix(all[0].Details().Site.File(), "join_test.go") {
			t.Errorf("warned of %v", all)
		}
	}
}

// A join is completed by the dispatcher, where its function runs.
func TestJoinsFunctionRunsOnTheDispatcher(t *testing.T) {
	loop := make(chan func(), 16)
	e := oneLane(t, overlay.WithDispatcher(func(fn func()) { loop <- fn }))
	f := overlay.Join2(overlay.Scalar[int](background, e, "SELECT 1"), overlay.Scalar[string](background, e, "SELECT 2"), two)
	fn := <-loop
	if _, _, ok := f.TryResult(); ok {
		t.Error("complete before the loop has run")
	}
	fn()
	if got := must(t, f); got != "21" {
		t.Error(got)
	}
}

// Await ends with its context, however long the function or the dispatcher takes.
func TestAwaitOfAJoinThatTakesLong(t *testing.T) {
	later := make(chan func(), 10)
	e := overlay.New(oneLane(t).SyncDB(), overlay.WithDispatcher(func(fn func()) { later <- fn }))
	one := overlay.Scalar[int](background, e, "SELECT 1")
	must(t, one)
	doubled := overlay.Then(one, func(v int) (int, error) { return 2 * v, nil }) // by the dispatcher, which does not come to it
	_, err := doubled.Await(atMost(t, 20*time.Millisecond))
	wantError(t, err, context.DeadlineExceeded)
	(<-later)()
	if v := must(t, doubled); v != 2 {
		t.Errorf("%d, want 2", v)
	}
	noError(t, e.Shutdown(background))

	e = oneLane(t)
	free := make(chan struct{})
	begin, first := whenClosed(e)
	slow := overlay.Join2(first, overlay.Scalar[int](background, e, "SELECT 2"), func(a, b int) (int, error) { <-free; return a + b, nil })
	close(begin)
	_, err = slow.Await(atMost(t, 20*time.Millisecond))
	wantError(t, err, context.DeadlineExceeded)
	close(free)
	if v := must(t, slow); v != 3 {
		t.Errorf("%d, want 3", v)
	}
}

// A Join that is awaited on the thread that its second part needs.
func TestJoinWhoseSecondPartIsStuck(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	inside, sent := make(chan struct{}), make(chan *overlay.Future[sql.Result])
	go func() {
		<-inside
		sent <- c.ExecAsync(background, "INSERT INTO t VALUES (1)")
	}()
	must(t, overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		close(inside)
		insert := <-sent
		first := overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) { time.Sleep(20 * time.Millisecond); return 1, nil })
		_, err := overlay.Join2(first, insert, func(n int, _ sql.Result) (int, error) { return n, nil }).Await(atMost(t, time.Minute))
		wantError(t, err, overlay.ErrWouldDeadlock)
		return 0, nil
	}))
	must(t, c.CloseAsync(background))
}

// whenClosed returns a call that gives 1 when the channel is closed. What is to follow it can
// be said before: if it were over, its caller would call that.
func whenClosed(e *overlay.Engine) (chan struct{}, *overlay.Future[int]) {
	begin := make(chan struct{})
	return begin, overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) { <-begin; return 1, nil })
}

// So does that of a Then of a Then.
func TestAwaitOfAThenOfAThen(t *testing.T) {
	e := oneLane(t)
	free := make(chan struct{})
	begin, first := whenClosed(e)
	slow := overlay.Then(first, func(v int) (int, error) { <-free; return v, nil })
	close(begin)
	then := overlay.Then(slow, func(v int) (int, error) { return v, nil })
	_, err := then.Await(atMost(t, 20*time.Millisecond))
	wantError(t, err, context.DeadlineExceeded)
	_, err = overlay.All(slow).Await(atMost(t, 20*time.Millisecond))
	wantError(t, err, context.DeadlineExceeded)
	close(free)
	must(t, then)
}

// Two functions have both lanes, and wait for calls of the engine beside another's: one
// is told.
func TestAllOnTheOnlyLanes(t *testing.T) {
	e, err := overlay.Open("sqlite3", t.TempDir()+"/a.db?_journal=WAL", overlay.WithLanes(2))
	noError(t, err)
	c := must(t, e.ConnectAsync(background))
	free, both, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
	beside := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) { <-free; return 0, nil })
	fn := func(context.Context, *sql.Conn) (int, error) {
		both <- struct{}{}
		<-goOn
		_, err := overlay.All(overlay.Scalar[int](background, e, "SELECT 1"), beside).Await(atMost(t, time.Minute))
		if errors.Is(err, overlay.ErrWouldDeadlock) {
			close(free) // so that the other one ends
		}
		return 0, err
	}
	a, b := overlay.RunInThread(background, e, fn), overlay.RunInThread(background, e, fn)
	<-both
	<-both
	close(goOn)
	_, errA := a.Await(background)
	_, errB := b.Await(background)
	if !errors.Is(errors.Join(errA, errB), overlay.ErrWouldDeadlock) {
		t.Errorf("nobody was told: %v, %v", errA, errB)
	}
	must(t, c.CloseAsync(background))
	noError(t, e.Shutdown(background))
}
