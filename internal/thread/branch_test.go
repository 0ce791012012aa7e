package thread_test

import (
	"context"
	"testing"

	"github.com/sqlaio/sqlaio/internal/thread"
)

var background = context.Background()

func start(t *testing.T) *thread.Worker {
	t.Helper()
	w, err := thread.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Quit() })
	return w
}

func TestABranchRunsOnTheSameThread(t *testing.T) {
	w := start(t)
	b := w.Branch()
	if b.ThreadID() != w.ThreadID() {
		t.Fatal("a branch has another thread")
	}
	inline := false
	if err := w.Run(background, func() { b.Run(background, func() { inline = b.OnThread() }) }); err != nil || !inline {
		t.Fatal("a branch's call did not run inline:", err)
	}
}

func TestQuittingABranchLeavesTheThreadRunning(t *testing.T) {
	w := start(t)
	b := w.Branch()
	if err := b.Quit(); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(background, func() {}); err != thread.ErrAlreadyQuit {
		t.Fatal(err)
	}
	if err := b.Quit(); err != thread.ErrAlreadyQuit {
		t.Fatal(err)
	}
	if err := w.Run(background, func() {}); err != nil {
		t.Fatal(err)
	}
	c := w.Branch()
	w.Quit()
	if err := c.Run(background, func() {}); err != thread.ErrAlreadyQuit {
		t.Fatal(err)
	}
}
