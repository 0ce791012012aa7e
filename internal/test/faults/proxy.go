package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
)

// proxyFaults has writers reach MariaDB through a relay that drops, stalls and
// resets their connections and swallows the server's answers.
func proxyFaults(ctx context.Context, j job, r *report) error {
	dsn, drop, err := someServer(ctx, j)
	if errors.Is(err, errNoServer) {
		r.Skipped = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	defer drop()
	bare, err := openBare("mysql", dsn)
	if err != nil {
		return err
	}
	defer bare.Close()
	bare.SetMaxIdleConns(1)
	if err := createTables(ctx, bare); err != nil {
		return err
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}
	lasting := 35 * time.Second
	if j.Short {
		lasting = 2 * time.Second
	}

	base := takeBaseline()
	relay, err := startRelay(cfg.Addr, j.Seed)
	if err != nil {
		return err
	}
	cfg.Addr = relay.Addr()
	told := newLedger()
	s, err := openSite("mysql", cfg.FormatDSN(), told.tell)
	if err != nil {
		return err
	}
	const limit = 3 * time.Second
	crew, err := startCrew(s, j, 12, politeWays, deadline(limit))
	if err != nil {
		return err
	}
	time.Sleep(lasting)
	r.Faults = int(relay.faults.Load())
	relay.Cut()
	if !crew.caughtUp(time.Now(), recovery) {
		r.Hung++
		r.notef("hung: %v after the network is well again not every writer writes", recovery)
		printGoroutines("writers that do not write again")
	}
	crew.end(limit, r)
	s.close(r)
	relay.close()
	base.check(r)
	if err := waitUntilAlone(ctx, bare); err != nil {
		r.wrongf("%v", err)
	}
	r.notef("answers other than yes: %s", told.commonErrors(8))
	return told.audit(ctx, bare, r)
}

// waitUntilAlone waits until the server has dropped all other sessions in the
// database: one whose client is gone may still be at work.
func waitUntilAlone(ctx context.Context, bare *sql.DB) error {
	const others = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var n int
		if err := bare.QueryRowContext(ctx, others).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server still has %d other sessions", n)
		}
	}
}
