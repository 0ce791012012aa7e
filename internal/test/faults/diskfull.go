package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/sqlaio/sqlaio/overlay"
)

// diskFull fills the disk under an SQLite file, with a WAL and with a rollback
// journal, frees some of it, and expects the writers to go on.
func diskFull(ctx context.Context, j job, r *report) error {
	for _, mode := range []string{"WAL", "DELETE"} {
		dir := filepath.Join(j.Dir, strings.ToLower(mode))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := mountSmall(dir, "2m"); err != nil {
			r.Skipped = fmt.Sprint("cannot mount a small tmpfs: ", err)
			return nil
		}
		if err := fill(ctx, j, dir, mode, r); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}

// fill is one round, on the disk at dir.
func fill(ctx context.Context, j job, dir, mode string, r *report) error {
	file := filepath.Join(dir, "full.db")
	dsn := "file:" + file + "?_journal_mode=" + mode + "&_synchronous=FULL&_busy_timeout=3000"
	bare, err := openBare("sqlite3", dsn)
	if err != nil {
		return err
	}
	err = createTables(ctx, bare)
	bare.Close()
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 800<<10), 0o644); err != nil {
		return err
	}

	base := takeBaseline()
	told := newLedger()
	answers := fullAnswers{other: make(map[string]int)}
	s, err := openSite("sqlite3", dsn, func(b belief, err error) {
		answers.enter(err)
		told.tell(b, err)
	})
	if err != nil {
		return err
	}
	s.pad = make([]byte, 2<<10)
	const limit = 8 * time.Second
	crew, err := startCrew(s, j, 8, politeWays, deadline(limit))
	if err != nil {
		return err
	}
	if !answers.wait(100, 15*time.Second) {
		r.wrongf("%s: the disk does not fill up, or nobody says so", mode)
	}
	r.Faults++
	crew.end(limit, r)
	if err := os.Remove(ballast); err != nil {
		return err
	}
	// What is free now is enough for one small unit from each writer.
	s.pad = nil
	j.Life++
	freed := time.Now()
	crew, err = newCrew(s, j, politeWays, deadline(limit))
	if err != nil {
		return err
	}
	crew.once = true
	crew.start(j, 8)
	if !crew.caughtUp(freed, recovery) {
		r.Hung++
		r.notef("hung: %s: %v after space was freed not every writer writes again", mode, recovery)
	}
	crew.end(limit, r)
	s.close(r)
	base.check(r)
	r.notef("%s: answers other than yes: %s", mode, told.commonErrors(4))
	for text, n := range answers.other {
		r.wrongf("%s: %d answers that do not say that the disk is full: %s", mode, n, text)
	}
	return auditCopy(ctx, file, told, r)
}

// fullAnswers counts what writers are told on a full disk.
type fullAnswers struct {
	mu    sync.Mutex
	full  int            // guarded by mu
	other map[string]int // guarded by mu
}

func (a *fullAnswers) enter(err error) {
	if err == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var e sqlite3.Error
	switch {
	case errors.As(err, &e) && (e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrIoErr || e.Code == sqlite3.ErrCantOpen),
		strings.Contains(err.Error(), "disk is full"):
		a.full++
	case errors.As(err, &e) && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked), errors.Is(err, overlay.ErrNotRun):
	default:
		a.other[err.Error()]++
	}
}

// wait waits until n answers have said that the disk is full.
func (a *fullAnswers) wait(n int, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		a.mu.Lock()
		full := a.full
		a.mu.Unlock()
		if full >= n {
			return true
		}
	}
	return false
}

// auditCopy looks into a copy of the file and of what lies beside it, since on a
// full disk even reading may need room.
func auditCopy(ctx context.Context, file string, told *ledger, r *report) error {
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Dir(file)), "copy-")
	if err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if err := copyFile(filepath.Join(dir, "full.db"+suffix), file+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	bare, err := openBare("sqlite3", "file:"+filepath.Join(dir, "full.db"))
	if err != nil {
		return err
	}
	defer bare.Close()
	if err := soundFile(ctx, bare); err != nil {
		return err
	}
	return told.audit(ctx, bare, r)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
