package debug_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A shop is an application in trouble.
type shop struct {
	engine *overlay.Engine
	closed context.Context
	visits sync.WaitGroup
}

// openShop has customers come and look until the test is over.
func openShop(t *testing.T, e *overlay.Engine) *shop {
	t.Helper()
	closed, closing := context.WithCancel(background)
	s := &shop{engine: e, closed: closed}
	await(t, e.ExecAsync(background, "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER)"))
	await(t, e.ExecAsync(background, "INSERT INTO items VALUES (7, 'secret', 100), (8, 'secret', 100)"))
	for range 6 {
		s.visits.Add(1)
		go s.customer()
	}
	t.Cleanup(func() { closing(); s.visits.Wait() })
	return s
}

func (s *shop) customer() {
	defer s.visits.Done()
	for s.closed.Err() == nil {
		s.listItems()
		time.Sleep(time.Millisecond)
	}
}

func (s *shop) listItems() {
	s.engine.QueryAsync(s.closed, "SELECT id, name FROM items WHERE stock > 0 AND name <> 'secret' ORDER BY name").Await(background)
}

// importPrices begins a transaction, and goes to wait for another service.
func (s *shop) importPrices(t *testing.T) *overlay.Tx {
	c := await(t, s.engine.ConnectAsync(background))
	tx := await(t, c.BeginAsync(background, nil))
	await(t, c.ExecAsync(background, "UPDATE items SET name = 'secret' WHERE id = 7"))
	return tx
}

func (s *shop) checkout(item int) *overlay.Future[int64] {
	f := s.engine.ExecAsync(background, "UPDATE items SET stock = stock - 1 WHERE id = ?", item)
	return overlay.Then(f, affected)
}
