package threadpin_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/threadpin"
)

func Example() {
	w, err := threadpin.Start(threadpin.WithName("example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Quit()
	err = w.Run(context.Background(), func() {
		fmt.Println("on the thread:", w.OnThread())
	})
	fmt.Println("here:", w.OnThread(), err)
	// Output:
	// on the thread: true
	// here: false <nil>
}

func ExampleDo() {
	w, _ := threadpin.Start()
	defer w.Quit()
	sum, err := threadpin.Do(context.Background(), w, func() (int, error) { return 20 + 22, nil })
	fmt.Println(sum, err)
	// Output: 42 <nil>
}

func ExampleWorker_Submit() {
	w, _ := threadpin.Start()
	defer w.Quit()
	done := make(chan error)
	w.Submit(func() { fmt.Println("working") }, func(err error) { done <- err })
	fmt.Println(<-done)
	// Output:
	// working
	// <nil>
}

func ExampleWithOnStart() {
	_, err := threadpin.Start(threadpin.WithOnStart(func() error {
		return errors.New("no such namespace")
	}))
	fmt.Println(err)
	// Output: no such namespace
}

func ExampleWithMaxThreads() {
	w, _ := threadpin.Start()
	defer w.Quit()
	_, err := threadpin.Start(threadpin.WithMaxThreads(1))
	fmt.Println(errors.Is(err, threadpin.ErrTooManyThreads))
	// Output: true
}

func ExampleStats() {
	w, _ := threadpin.Start()
	defer w.Quit()
	for range 3 {
		w.Run(context.Background(), func() {})
	}
	s := w.Stats()
	fmt.Println(s.Run, "calls,", s.Queued, "waiting")
	// Output: 3 calls, 0 waiting
}

func ExamplePanicError() {
	w, _ := threadpin.Start()
	defer w.Quit()
	done := make(chan error)
	w.Submit(func() { panic("broken") }, func(err error) { done <- err })
	var p *threadpin.PanicError
	if errors.As(<-done, &p) {
		fmt.Println(p.Value)
	}
	// Output: broken
}

// A Task lets its owner leave while the function runs.
func ExampleTask() {
	w, _ := threadpin.Start()
	started, stop := make(chan struct{}), make(chan struct{})
	t := w.NewTask(threadpin.Func(func() { close(started); <-stop }))
	if err := t.Begin(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	<-started
	soon := make(chan struct{})
	close(soon)
	if !t.Wait(nil, soon) && !t.Withdraw() { // it has started, and goes on alone
		t.Leave()
		fmt.Println("left")
	}
	close(stop)
	fmt.Println(w.Quit())
	// Output:
	// left
	// <nil>
}

func ExampleFunc() {
	w, _ := threadpin.Start()
	defer w.Quit()
	t := w.NewTask(threadpin.Func(func() { fmt.Println("working") }))
	ctx := context.Background()
	if err := t.Begin(ctx); err != nil {
		fmt.Println(err)
		return
	}
	t.Await(ctx)
	fmt.Println(t.End())
	// Output:
	// working
	// <nil>
}

// sum is a call with its argument and its result in one object.
type sum struct {
	of    []int
	total int
}

func (s *sum) RunOnThread() {
	for _, n := range s.of {
		s.total += n
	}
}

func ExampleJob() {
	w, _ := threadpin.Start()
	defer w.Quit()
	s := &sum{of: []int{1, 2, 39}}
	t := w.NewTask(s)
	ctx := context.Background()
	if err := t.Begin(ctx); err != nil {
		fmt.Println(err)
		return
	}
	t.Await(ctx)
	fmt.Println(s.total, t.End())
	// Output: 42 <nil>
}
