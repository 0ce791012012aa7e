package thread_test

import (
	"context"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// A Task lets its owner leave while the function runs.
func ExampleTask() {
	w, _ := thread.Start()
	started, stop := make(chan struct{}), make(chan struct{})
	t := w.NewTask(thread.Func(func() { close(started); <-stop }))
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
	w, _ := thread.Start()
	defer w.Quit()
	t := w.NewTask(thread.Func(func() { fmt.Println("working") }))
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
	w, _ := thread.Start()
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
