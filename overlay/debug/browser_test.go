package debug_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/debug"
	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

var (
	picture = flag.String("picture", filepath.Join(os.TempDir(), "sqlaio-debug.png"), "where the browser's picture of the page goes")
	stuckAt = flag.Duration("picture.at", 1500*time.Millisecond, "how long the stuck query has run in the picture")
)

// load makes short calls until the test is over.
func load(t *testing.T, e *overlay.Engine) {
	t.Helper()
	ctx, stop := context.WithCancel(background)
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for ctx.Err() == nil {
				e.ExecAsync(background, "INSERT INTO t (text) VALUES (?)", "secret").Await(background)
				e.ScalarAsync(background, "SELECT count(*) FROM t WHERE id > 10 AND text <> 'secret'").Await(background)
				time.Sleep(2 * time.Millisecond)
			}
		}()
	}
	t.Cleanup(func() { stop(); all.Wait() })
}

// One lane is stuck, another one works, and somebody has forgotten a transaction. The page
// says so, and goes on saying so without being loaded again.
func TestABrowserShowsAStuckQuery(t *testing.T) {
	e := open(t, overlay.WithLanes(2))
	mux := http.NewServeMux()
	mux.Handle("GET /debug/sqlaio", debug.Handler(e))
	server := httptest.NewServer(mux)
	defer server.Close()
	b := newBrowser(t, 1180, 860)
	load(t, e)
	c := await(t, e.ConnectAsync(background))
	forgotten, began := await(t, c.BeginAsync(background, nil)), line()
	stuck, place := e.QueryAsync(background, endless), line()
	until(t, e, func(s *inspect.Snapshot) bool {
		return len(s.Running) > 0 && s.Running[0].Seconds > stuckAt.Seconds() && s.Slow.Count >= 0
	})

	b.open(server.URL + "/debug/sqlaio")
	verdict := ask[string](b, "document.querySelector('.verdict').innerText")
	for _, want := range []string{
		" s", "running", "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL", fmt.Sprintf("browser_test.go:%d", place), "debug_test.TestABrowserShowsAStuckQuery",
		"idle in a transaction", fmt.Sprintf("browser_test.go:%d", began),
	} {
		if !strings.Contains(verdict, want) {
			t.Errorf("%q is not in what the page says first: %s", want, verdict)
		}
	}
	const seconds = "parseFloat(document.querySelector('#running td.age').innerText)"
	before := ask[float64](b, seconds)
	if before < stuckAt.Seconds() {
		t.Errorf("it says that the query has run for %v s", before)
	}
	b.picture(*picture)

	ask[bool](b, "window.same = true")
	b.until(fmt.Sprintf("%s > %v && document.getElementById('state').innerText == 'live' && window.same", seconds, before))
	ask[any](b, "document.getElementById('pause').click(), null")
	b.until("document.getElementById('state').innerText == 'paused'")
	ask[any](b, "document.getElementById('pause').click(), null")
	if text := ask[string](b, "document.documentElement.outerHTML"); strings.Contains(text, "secret") {
		t.Error("a value is shown: ", text)
	}

	stuck.Cancel()
	await(t, forgotten.CommitAsync(background))
	await(t, c.CloseAsync(background))
	b.until("document.querySelector('.verdict').innerText.startsWith('OK') && document.querySelector('#slow').innerText.includes('stopped')")
	server.Close()
	b.until("document.getElementById('state').innerText.includes('what you see is old')")
	for _, trouble := range b.trouble {
		if !strings.Contains(trouble, "ERR_CONNECTION_REFUSED") && !strings.Contains(trouble, "favicon") {
			t.Error("the page reports: ", trouble)
		}
	}
}

// A statement is no place for tags, and a stricter policy from outside forbids the page
// to ask: it is then loaded again.
func TestABrowserWithAHostileStatementAndAStrictPolicy(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	h := debug.Handler(e)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'")
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	b := newBrowser(t, 800, 600)
	const tags = "`</code><script>owned=1</script><img src=x onerror=\"owned=1\">`"
	stuck := e.QueryAsync(background, endless+" AND "+tags+" IS NULL")
	stuck.Await(background) // it has no such column
	slow := e.QueryAsync(background, strings.Replace(endless, "count(*)", "count(*) AS "+tags, 1))
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 })
	b.open(server.URL + "/")
	ask[bool](b, "window.same = true")
	b.until("document.readyState == 'complete' && !window.same")
	if !ask[bool](b, "!window.owned && document.images.length == 0 && document.scripts.length == 1") {
		t.Error("the statement has become a part of the page: ", ask[string](b, "document.body.innerHTML"))
	}
	if text := ask[string](b, "document.querySelector('#running').innerText"); !strings.Contains(text, tags) {
		t.Error("the statement is not shown as it is: ", text)
	}
	slow.Cancel()
}
