package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// descriptorsRunOut has connections opened when there are no descriptors left,
// and when there may be no more threads.
func descriptorsRunOut(ctx context.Context, j job, r *report) error {
	file := filepath.Join(j.Dir, "fd.db")
	if err := fewDescriptors(ctx, j, "sqlite3", sqliteDSN(file), r); err != nil {
		return fmt.Errorf("sqlite3: %w", err)
	}
	if err := fewThreads(ctx, j, filepath.Join(j.Dir, "threads.db"), r); err != nil {
		return fmt.Errorf("threads: %w", err)
	}
	dsn, drop, err := someServer(ctx, j)
	if errors.Is(err, errNoServer) {
		r.notef("without MariaDB: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer drop()
	if err := fewDescriptors(ctx, j, "mysql", dsn, r); err != nil {
		return fmt.Errorf("mysql: %w", err)
	}
	return nil
}

// opening is how long opening a connection may take.
const opening = 3 * time.Second

// fewDescriptors takes all descriptors but a few away while writers are at work
// and more connections are wanted.
func fewDescriptors(ctx context.Context, j job, driver, dsn string, r *report) error {
	bare, err := openBare(driver, dsn)
	if err != nil {
		return err
	}
	defer bare.Close()
	bare.SetMaxIdleConns(0) // as in fewThreads
	if err := createTables(ctx, bare); err != nil {
		return err
	}
	base := takeBaseline()
	told := newLedger()
	s, err := openSite(driver, dsn, told.tell)
	if err != nil {
		return err
	}
	s.db.SetMaxOpenConns(30)
	s.engine.SyncDB().SetMaxOpenConns(30)
	const limit = 8 * time.Second
	crew, err := startCrew(s, j, 4, politeWays, deadline(limit))
	if err != nil {
		return err
	}
	if !crew.caughtUp(time.Now(), recovery) {
		return errors.New("the writers do not begin")
	}
	for range 3 {
		refusals, err := s.openMany(ctx, r)
		if err != nil {
			return err
		}
		if refusals == 0 {
			r.wrongf("%s: no descriptors, and no connection was refused", driver)
		}
		r.Faults++
		if !crew.caughtUp(time.Now(), recovery) {
			r.Hung++
			r.notef("hung: %s: %v after there are descriptors again not every writer writes", driver, recovery)
			printGoroutines("writers that do not write again")
		}
	}
	crew.end(limit, r)
	s.close(r)
	base.check(r)
	r.notef("%s: answers other than yes: %s", driver, told.commonErrors(4))
	return told.audit(ctx, bare, r)
}

// openMany wants 16 connections at once, in both ways, with two or three
// descriptors left, and returns how many it was refused.
func (s *site) openMany(ctx context.Context, r *report) (refusals int, err error) {
	giveBack, err := hogDescriptors(3)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	begun := time.Now()
	var held holder
	var all sync.WaitGroup
	for i := range 16 {
		all.Add(1)
		go func() {
			defer all.Done()
			if i%2 == 0 {
				c, err := s.db.Conn(ctx)
				held.keep(err, func() { c.Close() })
			} else {
				c, err := s.engine.ConnectAsync(ctx).Await(ctx)
				held.keep(err, func() { s.closeConn(c) })
			}
		}()
	}
	back := inTime(opening+grace+5*time.Second, all.Wait)
	if err := giveBack(); err != nil {
		return 0, err
	}
	if over := time.Since(begun) - opening; over > grace {
		r.Hung++
		r.notef("hung: %s: opening connections without descriptors: back %v after the deadline: %v",
			s.driver, over.Round(time.Millisecond), back)
	}
	return held.letGo(), nil
}

// A holder keeps connections that were opened, and counts those that were not.
type holder struct {
	mu       sync.Mutex
	closers  []func() // guarded by mu
	refusals int      // guarded by mu: with an error that is not the context's
}

func (h *holder) keep(err error, closer func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.closers = append(h.closers, closer)
	case !ended(err):
		h.refusals++
	}
}

// letGo closes what is kept and returns the number of refusals.
func (h *holder) letGo() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, closer := range h.closers {
		closer()
	}
	h.closers = nil
	return h.refusals
}

// hogDescriptors leaves the process with only a few more descriptors than it has
// open. giveBack undoes that.
func hogDescriptors(left int) (giveBack func() error, err error) {
	restore, err := limitDescriptors(len(descriptors()) + 64)
	if err != nil {
		return nil, err
	}
	var hog []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hog = append(hog, f)
	}
	for range min(left, len(hog)) {
		hog[len(hog)-1].Close()
		hog = hog[:len(hog)-1]
	}
	return func() error {
		for _, f := range hog {
			f.Close()
		}
		return restore()
	}, nil
}
