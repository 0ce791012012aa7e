package cluster

import (
	"context"
	"flag"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/mysql"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

var kills = flag.Int("kills", 12, "how often a node is killed")

// mostConns bounds the connections of the writers' sql.DB.
const mostConns = 16

// cutOffs is how often a node is cut off from the others.
const cutOffs = 3

func TestNodesAreKilled(t *testing.T) {
	n := clusterOf(t)
	underWrites(t, n, *kills, n.kill, n.restart)
}

// A node that is cut off lives, but refuses what it is asked, or cannot tell.
func TestNodesAreCutOff(t *testing.T) {
	n := clusterOf(t)
	underWrites(t, n, cutOffs, n.cutOff, n.rejoin)
}

// underWrites proves that no write that was acknowledged is lost when nodes are
// taken away, that none is there that was refused, and that writers,
// connections and threads recover.
func underWrites(t *testing.T, n *nodes, rounds int, takeAway, bringBack func(t *testing.T, node int)) {
	threadsAtMost(t, 0)
	goroutines := runtime.NumGoroutine()

	db := driver.OpenDB(n)
	db.SetMaxOpenConns(mostConns)
	db.SetMaxIdleConns(mostConns)
	db.SetConnMaxLifetime(2 * time.Second) // so that a node that is back is used again
	w := &writers{engine: overlay.New(db), ledger: newLedger()}
	createTables(t, w.engine)
	for node := range n.configs {
		read(t, n, node, "SELECT id FROM counters") // waits until they are there
	}
	start := time.Now()
	w.start()
	var recoveries []time.Duration
	for i := range rounds {
		eventually(t, func() bool { return w.ledger.caughtUp(2*perKind, start) }, "writers write")
		victim := i % len(n.configs)
		taking := time.Now()
		takeAway(t, victim)
		taken := time.Now()
		eventually(t, func() bool { return w.ledger.caughtUp(2*perKind, taken) }, "writers recover")
		recoveries = append(recoveries, time.Since(taking))
		t.Logf("round %2d: node %d; all writers wrote again after %v", i+1, victim+1, recoveries[i].Round(time.Millisecond))
		for node := range n.configs {
			if node != victim {
				w.ledger.audit(t, n, node)
			}
		}
		threadsAtMost(t, mostConns)
		bringBack(t, victim)
		start = time.Now()
	}
	w.end()
	must(t, w.engine.Shutdown(context.Background()))
	must(t, db.Close())

	lost, phantom := 0, 0
	for node := range n.configs {
		l, p := w.ledger.audit(t, n, node)
		lost, phantom = max(lost, l), max(phantom, p)
		transactions := read(t, n, node, "SELECT COUNT(*) FROM writes WHERE id >> 40 < 4")[0]
		if counted := read(t, n, node, "SELECT CAST(SUM(n) AS SIGNED) FROM counters")[0]; counted != transactions {
			t.Errorf("node %d: %d transactions have counted to %d", node+1, transactions, counted)
		}
	}
	goleak.VerifyNone(t)
	threadsAtMost(t, 0)
	eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines }, "goroutines are back at the baseline")

	counts := w.ledger.counts
	slices.Sort(recoveries)
	t.Logf("rounds %d; writes acknowledged %d, lost %d; refused %d, there all the same %d; outcome unknown %d",
		rounds, counts[acknowledged], lost, counts[refused], phantom, counts[unknown])
	t.Logf("transactions begun %d, for %d that were asked for", w.begun.Load(), w.asked.Load())
	t.Logf("recovery: median %v, worst %v", recoveries[len(recoveries)/2].Round(time.Millisecond), recoveries[len(recoveries)-1].Round(time.Millisecond))
	for text, times := range w.ledger.errors {
		t.Logf("%6d times: %s", times, text)
	}
}

func createTables(t *testing.T, e *overlay.Engine) {
	t.Helper()
	ctx := context.Background()
	for _, text := range []string{
		"DROP TABLE IF EXISTS writes, counters",
		"CREATE TABLE writes (id BIGINT PRIMARY KEY)",
		"CREATE TABLE counters (id INT PRIMARY KEY, n BIGINT NOT NULL)",
	} {
		_, err := e.ExecAsync(ctx, text).Await(ctx)
		must(t, err)
	}
	for id := range counters {
		_, err := e.ExecAsync(ctx, "INSERT INTO counters VALUES (?, 0)", id).Await(ctx)
		must(t, err)
	}
}

// threadsAtMost waits until there are no more than that many workers in the process.
func threadsAtMost(t *testing.T, most int) {
	t.Helper()
	eventually(t, func() bool {
		w, err := threadpin.Start(threadpin.WithMaxThreads(most + 1))
		if err != nil {
			return false
		}
		w.Quit()
		return true
	}, "threads end")
}

// limit is how long anything may take.
const limit = time.Minute

// eventually polls until ok, which no event announces, is true.
func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("not within %v: %s\n%s", limit, what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
