package debug_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

// Somebody has forgotten a transaction, two lanes wait for its lock, and all else waits
// for the lanes. The page says so, and goes on saying so without being loaded again.
func TestABrowserShowsWhatIsStuck(t *testing.T) {
	e := open(t, overlay.WithLanes(2))
	server := httptest.NewServer(debug.Handler(e))
	defer server.Close()
	b := newBrowser(t, 1180, 1040)
	shop := openShop(t, e)
	until(t, e, func(s *inspect.Snapshot) bool { return s.Stats["Run"].(float64) > 500 })
	forgotten := shop.importPrices(t)
	sold := []*overlay.Future[int64]{shop.checkout(7), shop.checkout(8)}
	until(t, e, func(s *inspect.Snapshot) bool {
		return len(s.Running) == 2 && s.Waiting.Count == 6
	})

	for look(t, e).Running[1].Seconds < stuckAt.Seconds() {
		time.Sleep(10 * time.Millisecond)
	}
	b.open(server.URL + "/")
	verdict := ask[string](b, "document.querySelector('.verdict').innerText")
	for _, want := range []string{
		"idle in a transaction", "shop_test.go:49", "debug_test.(*shop).importPrices",
		"2 × running", "UPDATE items SET stock = stock - ? WHERE id = ?", "shop_test.go:55", "debug_test.(*shop).checkout",
		"6 calls wait", "2 of 2 lanes are busy",
	} {
		if !strings.Contains(verdict, want) {
			t.Errorf("%q is not in what the page says first: %s", want, verdict)
		}
	}
	if text := ask[string](b, "document.querySelector('#waiting').innerText"); !strings.Contains(text, "6 ×") || !strings.Contains(text, "shop_test.go:43") {
		t.Error("what waits: ", text)
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

	await(t, forgotten.Conn().CloseAsync(background))
	for _, f := range sold {
		await(t, f)
	}
	b.until("document.querySelector('.verdict').innerText.startsWith('OK') && document.querySelector('#slow').innerText.includes('UPDATE items')")
	server.Close()
	b.until("document.getElementById('state').innerText.includes('what you see is old')")
	for _, trouble := range b.trouble {
		if !strings.Contains(trouble, "ERR_CONNECTION_REFUSED") {
			t.Error("the page reports: ", trouble)
		}
	}
	t.Run("with a hostile statement and a strict policy", func(t *testing.T) { hostile(t, b) })
}

// A statement is no place for tags, and a stricter policy from outside forbids the page
// to ask: it is then loaded again.
func hostile(t *testing.T, b *browser) {
	e := open(t, overlay.WithLanes(1))
	h := debug.Handler(e)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'")
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	const tags = "`</code><script>owned=1</script><img src=x onerror=\"owned=1\">`"
	stuck := e.QueryAsync(background, strings.Replace(endless, "count(*)", "count(*) AS "+tags, 1))
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
	stuck.Cancel()
}
