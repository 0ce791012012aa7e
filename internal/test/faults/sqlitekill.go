package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sqliteKill kills a process that writes to a file, again and again, and looks
// for what it has reported as acknowledged. A process reports an answer only
// after it has got it, so what was acknowledged and not reported counts as never
// answered.
func sqliteKill(ctx context.Context, j job, r *report) error {
	lives := 200
	if j.Short {
		lives = 10
	}
	file := filepath.Join(j.Dir, "kill.db")
	bare, err := openBare("sqlite3", sqliteDSN(file))
	if err != nil {
		return err
	}
	defer bare.Close()
	if err := createTables(ctx, bare); err != nil {
		return err
	}
	bare.SetMaxIdleConns(0) // else it would keep the WAL from being recovered by the next process
	chance := rand.New(rand.NewPCG(j.Seed, 1))
	told := newLedger()
	for life := range lives {
		j.Life = int64(life + 1)
		if err := oneLife(j, 50*time.Millisecond+time.Duration(chance.IntN(200))*time.Millisecond, told); err != nil {
			return fmt.Errorf("life %d: %w", life+1, err)
		}
		r.Faults++
		// Mostly the next process finds what the kill has left.
		if life%20 == 19 {
			if err := soundFile(ctx, bare); err != nil {
				return fmt.Errorf("life %d: %w", life+1, err)
			}
		}
	}
	if err := soundFile(ctx, bare); err != nil {
		return err
	}
	r.notef("answers other than yes: %s", told.commonErrors(5))
	return told.audit(ctx, bare, r)
}

// oneLife runs a writer and kills it a time after it has begun.
func oneLife(j job, life time.Duration, told *ledger) error {
	c, err := newChild("writer", j)
	if err != nil {
		return err
	}
	if err := c.start(); err != nil {
		return err
	}
	defer c.out.Close()
	begun := make(chan struct{})
	read := make(chan error, 1)
	go func() { read <- readAnswers(c.out, begun, told) }()
	var stuck error
	select {
	case <-begun:
		time.Sleep(life)
	case err := <-read:
		read <- err
		stuck = errors.New("the writer ended by itself")
	case <-time.After(30 * time.Second):
		stuck = errors.New("the writer did not begin within 30 s")
	}
	c.cmd.Process.Kill()
	err = errors.Join(stuck, <-read)
	c.cmd.Wait()
	return err
}

// readAnswers enters what a writer reports until it is dead. Its lines are "begin"
// and "<outcome> <unit> <way> <error>".
func readAnswers(from io.Reader, begun chan<- struct{}, told *ledger) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // the last line may be cut: it counts as never written
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "begin" {
			close(begun)
			continue
		}
		var b belief
		var text string
		if _, err := fmt.Sscanf(line, "%d %d %s %q", &b.told, &b.unit, &b.way, &text); err != nil {
			return fmt.Errorf("line %q of the writer: %w", line, err)
		}
		if text == "" {
			told.tell(b, nil)
		} else {
			told.tell(b, errors.New(text))
		}
	}
}

// soundFile has SQLite look for damage.
func soundFile(ctx context.Context, bare *sql.DB) error {
	var verdict string
	if err := bare.QueryRowContext(ctx, "PRAGMA quick_check").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("quick_check: %s", verdict)
	}
	return nil
}

// writerMain is a writer: it writes until it is killed, or its parent is gone.
func writerMain(j job, out *os.File) int {
	fmt.Fprintln(out, "begin")
	tell := func(b belief, err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		// One write is one line, whole, whoever else writes; a way's name has no space in it here.
		fmt.Fprintf(out, "%d %d %s %q\n", b.told, b.unit, strings.ReplaceAll(b.way, " ", "_"), text[:min(len(text), 500)])
	}
	s, err := openSite("sqlite3", sqliteDSN(filepath.Join(j.Dir, "kill.db")), tell)
	if err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 2
	}
	s.lastUnit.Store(j.Life << 32)
	c, err := startCrew(s, j, 8, politeWays, deadline(10*time.Second))
	if err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 2
	}
	c.all.Wait()
	return 0
}
