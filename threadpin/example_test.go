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
