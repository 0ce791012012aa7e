package ledger_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Others kill statements, and connections, while contexts end: nobody is told an untruth.
func TestKilledByOthers(t *testing.T) {
	for _, kill := range []string{"KILL QUERY ", "KILL "} {
		onMariaDB(t, func(t *testing.T, db *database) {
			e, admin := db.open(t, db.lanes(4)), db.openBare(t)
			end := time.Now().Add(700 * time.Millisecond)
			var wg sync.WaitGroup
			for range 3 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for time.Now().Before(end) {
						for _, w := range ways() {
							ctx, cancel := context.WithCancel(background)
							stop := time.AfterFunc(time.Duration(rand.IntN(6000))*time.Microsecond, cancel)
							w.write(ctx, e, db.l)
							stop.Stop()
							cancel()
						}
					}
				}()
			}
			killed := 0
			for time.Now().Before(end) {
				var id int64
				err := admin.QueryRow("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1").Scan(&id)
				if err == nil && errOf(admin.Exec(kill+itoa(id))) == nil {
					killed++
				}
				time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
			}
			wg.Wait()
			if killed == 0 {
				t.Error("nothing was killed")
			}
			db.check(t)
		})
	}
}
