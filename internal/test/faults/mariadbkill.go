package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// mariadbKill kills a server under writers and starts it again.
func mariadbKill(ctx context.Context, j job, r *report) error {
	kills := 10
	if j.Short {
		kills = 2
	}
	dir := filepath.Join(j.Dir, "mariadb")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	server, err := newServer(ctx, dir)
	if errors.Is(err, errNoServer) {
		r.Skipped = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if err := server.start(ctx); err != nil {
		return err
	}
	defer server.kill()
	bare, err := openBare("mysql", server.dsn())
	if err != nil {
		return err
	}
	defer bare.Close()
	bare.SetMaxIdleConns(0)
	if err := createTables(ctx, bare); err != nil {
		return err
	}

	base := takeBaseline()
	told := newLedger()
	s, err := openSite("mysql", server.dsn(), told.tell)
	if err != nil {
		return err
	}
	const limit = 3 * time.Second
	crew, err := startCrew(s, j, 12, politeWays, deadline(limit))
	if err != nil {
		return err
	}
	chance := rand.New(rand.NewPCG(j.Seed, 2))
	for kill := range kills {
		if !crew.caughtUp(time.Now(), recovery) {
			r.Hung++
			r.notef("hung: %v after start %d of the server not every writer writes again", recovery, kill+1)
			printGoroutines("writers that do not write again")
		}
		time.Sleep(time.Duration(100+chance.IntN(900)) * time.Millisecond)
		server.kill()
		r.Faults++
		time.Sleep(time.Duration(chance.IntN(200)) * time.Millisecond)
		if err := server.start(ctx); err != nil {
			return fmt.Errorf("start %d: %w", kill+2, err)
		}
	}
	if !crew.caughtUp(time.Now(), recovery) {
		r.Hung++
		r.notef("hung: %v after the last start not every writer writes again", recovery)
	}
	crew.end(limit, r)
	s.close(r)
	base.check(r)
	r.notef("answers other than yes: %s", told.commonErrors(8))
	return told.audit(ctx, bare, r)
}
