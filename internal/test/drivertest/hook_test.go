package drivertest

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
)

func TestHookDecidesTheError(t *testing.T) {
	d, db := open(t, Modern)
	sentinel := errors.New("mine")
	remove := d.On("Conn.ExecContext", Return(sentinel))
	if _, err := db.Exec("noop"); err != sentinel {
		t.Error(err)
	}
	remove()
	_, err := db.Exec("noop")
	must(t, err)
}

func TestFirstAndAfter(t *testing.T) {
	d, db := open(t, Modern)
	d.On("Conn.Ping", First(1, Return(ErrScripted)))
	d.On("Conn.Ping", After(2, Return(ErrRow)))
	for i, want := range []error{ErrScripted, nil, nil, ErrRow} {
		if err := db.Ping(); err != want {
			t.Errorf("ping %d: %v", i+1, err)
		}
	}
}

func TestHookPanicsAreCleanedUp(t *testing.T) {
	d, db := open(t, Modern)
	d.On("Conn.ExecContext", First(1, Panic("boom")))
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v", v)
			}
		}()
		db.Exec("noop")
	}()
	_, err := db.Exec("noop")
	must(t, err)
	if c := d.Log()[1]; !c.Panicked || !c.Done {
		t.Errorf("%+v", c)
	}
}

func TestGoexitEndsTheCaller(t *testing.T) {
	d, db := open(t, Modern)
	d.On("Conn.Ping", First(1, Goexit()))
	done := make(chan struct{})
	returned := false
	go func() {
		defer close(done)
		conn, _ := db.Conn(context.Background())
		defer conn.Close()
		conn.Raw(func(ci any) error {
			ci.(driver.Pinger).Ping(context.Background())
			returned = true
			return nil
		})
	}()
	<-done
	if returned {
		t.Error("the call returned")
	}
}

func TestHooksForMethodsWithoutError(t *testing.T) {
	d, db := open(t, Modern)
	d.On("Conn.IsValid", First(1, Return(ErrScripted)))
	must(t, db.Ping())
	must(t, db.Ping())
	if n := d.Count("Connector.Connect"); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestUntilEnded(t *testing.T) {
	d, db := open(t, Modern)
	d.On("Conn.Ping", UntilEnded())
	ctx, cancel := context.WithCancel(context.Background())
	d.On("Conn.ResetSession", func(Call) error { cancel(); return nil })
	if _, err := db.Exec("noop"); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(ctx); err != context.Canceled {
		t.Error(err)
	}
}

func TestGateHoldsUntilOpen(t *testing.T) {
	d, db := open(t, Modern)
	g := d.Gate("Conn.Ping")
	done := make(chan error)
	go func() { done <- db.Ping() }()
	if c := g.Wait(); c.Method != "Conn.Ping" || c.Conn != 1 {
		t.Error(c)
	}
	select {
	case <-done:
		t.Error("the gate let it pass")
	default:
	}
	g.Open()
	g.Open()
	must(t, <-done)
	must(t, db.Ping())
}
