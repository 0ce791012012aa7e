package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

// running is a server on its own port.
type running struct {
	*server
	file, url string
	signal    context.CancelFunc // asks it to shut down
	served    <-chan error       // what serve returned
}

func start(t testing.TB, opts ...overlay.Option) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notes.db")
	n, err := openEngine(background, file, opts...)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, signal := context.WithCancel(background)
	served := make(chan error, 1)
	s := &running{newServer(n), file, "http://" + l.Addr().String(), signal, served}
	go func() { served <- s.serve(ctx, l, time.Minute) }()
	return s
}

// stop shuts the server down. It must succeed.
func (s *running) stop(t testing.TB) {
	t.Helper()
	s.signal()
	if err := <-s.served; err != nil {
		t.Error("serve: ", err)
	}
}

// call makes a request. It returns an error if the request was not answered.
func call(ctx context.Context, c *http.Client, method, url string, in, out any) (int, error) {
	var body []byte // empty for GET
	if method == "POST" {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return 0, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && out != nil && answer.StatusCode < 300 {
		err = json.Unmarshal(text, out)
	}
	return answer.StatusCode, err
}

func newClient(t testing.TB, connections int) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: connections}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestRoutes(t *testing.T) {
	s, c := start(t, overlay.WithWriter()), newClient(t, 1)
	defer s.stop(t)
	var list []note
	if code, err := call(background, c, "GET", s.url+"/notes", nil, &list); code != 200 || err != nil || list == nil {
		t.Error("no notes: ", code, err, list)
	}
	var n note
	code, err := call(background, c, "POST", s.url+"/notes", note{Text: "über"}, &n)
	if want := (note{1, "über"}); code != 201 || err != nil || n != want {
		t.Error("add: ", code, err, n)
	}
	if code, err := call(background, c, "GET", s.url+"/notes/1", nil, &n); code != 200 || err != nil || n.Text != "über" {
		t.Error("get: ", code, err, n)
	}
	if code, err := call(background, c, "GET", s.url+"/notes", nil, &list); code != 200 || err != nil || len(list) != 1 || list[0] != n {
		t.Error("list: ", code, err, list)
	}
	for _, path := range []string{"/notes/2", "/notes/x", "/"} {
		if code, err := call(background, c, "GET", s.url+path, nil, nil); code != 404 || err != nil {
			t.Errorf("%s: %d %v", path, code, err)
		}
	}
	for _, body := range []any{note{}, "text", nil} {
		if code, err := call(background, c, "POST", s.url+"/notes", body, nil); code != 400 || err != nil {
			t.Errorf("%v: %d %v", body, code, err)
		}
	}
}

// The server is shut down under load. Everything it acknowledged is in the file, and
// until the shutdown all requests succeed except the cancelled ones.
func TestLoad(t *testing.T) {
	const clients, requests = 64, 200
	s, c := start(t, overlay.WithWriter()), newClient(t, clients)
	var (
		stopping            atomic.Bool
		acked, lost, denied atomic.Int64
		mu                  sync.Mutex
		written             = make(map[int64]string) // acknowledged notes; guarded by mu
		everyone            sync.WaitGroup
	)
	// request makes a request, sometimes with a context that ends early.
	request := func(method, path string, in, out any) (int, bool) {
		ctx, cancel := background, context.CancelFunc(func() {})
		if rand.N(8) == 0 {
			ctx, cancel = context.WithTimeout(background, rand.N(20*time.Millisecond))
		}
		defer cancel()
		code, err := call(ctx, c, method, s.url+path, in, out)
		switch {
		case err == nil:
			return code, true
		case ctx.Err() != nil:
			lost.Add(1)
		case stopping.Load():
			denied.Add(1)
		default:
			t.Errorf("%s %s: %v", method, path, err)
		}
		return 0, false
	}
	for i := range clients {
		everyone.Add(1)
		go func() {
			defer everyone.Done()
			for j := range requests {
				text := fmt.Sprintf("note %d of client %d", j, i)
				var added, got note
				if code, ok := request("POST", "/notes", note{Text: text}, &added); !ok {
					continue
				} else if code != 201 || added.Text != text {
					t.Errorf("POST: %d %v", code, added)
					continue
				}
				mu.Lock()
				written[added.ID] = text
				mu.Unlock()
				if acked.Add(1) == clients*requests/2 {
					stopping.Store(true)
					s.signal()
				}
				if code, ok := request("GET", fmt.Sprint("/notes/", added.ID), nil, &got); ok && (code != 200 || got != added) {
					t.Errorf("GET: %d %v, not %v", code, got, added)
				}
				if j%16 == 0 {
					var list []note
					if code, ok := request("GET", "/notes", nil, &list); ok && (code != 200 || len(list) == 0) {
						t.Errorf("GET: %d %v", code, list)
					}
				}
			}
		}()
	}
	everyone.Wait()
	s.stop(t)

	n, err := openNotes(background, s.file)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close(background)
	list, err := n.latest(background, clients*requests)
	if err != nil {
		t.Fatal(err)
	}
	inFile := make(map[int64]string)
	for _, n := range list {
		inFile[n.ID] = n.Text
	}
	for id, text := range written {
		if inFile[id] != text {
			t.Errorf("note %d was acknowledged as %q and is %q", id, text, inFile[id])
		}
	}
	t.Logf("%d notes acknowledged, %d in the file; %d requests cancelled, %d refused by the shutdown",
		len(written), len(list), lost.Load(), denied.Load())
	if !stopping.Load() || lost.Load() == 0 {
		t.Error("no request was cancelled, or the server was not shut down under load")
	}
}

// When a request ends, so does its query, and the lane serves others again.
func TestHangingUpStopsTheQuery(t *testing.T) {
	s, c := start(t, overlay.WithWriter()), newClient(t, 1)
	defer s.stop(t)
	begun, ended := make(chan struct{}, 1), make(chan error, 1)
	s.mux.HandleFunc("GET /begun-forever", func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		s.forever(ended)(w, r)
	})
	for range 2 * s.notes.engine.Stats().Lanes {
		ctx, hangUp := context.WithCancel(background)
		go func() { <-begun; hangUp() }()
		if _, err := call(ctx, c, "GET", s.url+"/begun-forever", nil, nil); !errors.Is(err, context.Canceled) {
			t.Error("the client got ", err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error("the query ended with ", err)
		}
	}
	if code, err := call(background, c, "GET", s.url+"/notes", nil, nil); code != 200 || err != nil {
		t.Error(code, err)
	}
}

// The page for operators names the query that is stuck, and its line.
func TestThePageShowsWhatIsStuck(t *testing.T) {
	s, c := start(t), newClient(t, 2)
	defer s.stop(t)
	ended := make(chan error, 1)
	s.mux.HandleFunc("GET /forever", s.forever(ended))
	ctx, hangUp := context.WithCancel(background)
	go call(ctx, c, "GET", s.url+"/forever", nil, nil)
	var state struct {
		Running []struct {
			What  string
			Place struct{ Function string }
		}
	}
	for len(state.Running) == 0 {
		if code, err := call(background, c, "GET", s.url+"/debug/sqlaio?format=json", nil, &state); code != 200 || err != nil {
			t.Fatal(code, err)
		}
	}
	if r := state.Running[0]; !strings.HasPrefix(r.What, "WITH RECURSIVE forever") || !strings.Contains(r.Place.Function, "forever") {
		t.Errorf("what runs is %+v", r)
	}
	hangUp()
	<-ended
}

// When its context ends, the shutdown stops the requests in progress.
func TestShutdownEndsWithItsDeadline(t *testing.T) {
	s, c := start(t, overlay.WithWriter()), newClient(t, 1)
	begun, ended := make(chan struct{}), make(chan error, 1)
	s.mux.HandleFunc("GET /begun-forever", func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		s.forever(ended)(w, r)
	})
	answered := make(chan error, 1)
	go func() {
		_, err := call(background, c, "GET", s.url+"/begun-forever", nil, nil)
		answered <- err
	}()
	<-begun
	over, cancel := context.WithCancel(background)
	cancel()
	if err := s.shutdown(over); !errors.Is(err, context.Canceled) {
		t.Error("shutdown: ", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, overlay.ErrClosed) {
		t.Error("the query ended with ", err)
	}
	if err := <-answered; err == nil {
		t.Error("the client got an answer")
	}
	if _, err := s.notes.add(background, "late"); !errors.Is(err, overlay.ErrClosed) {
		t.Error("a late note: ", err)
	}
	s.signal()
	<-s.served // an error: the listener was closed
}

func TestDemo(t *testing.T) {
	if err := demo(background); err != nil {
		t.Error(err)
	}
}

// BenchmarkAdd has 64 clients add notes, with the writer and without.
func BenchmarkAdd(b *testing.B) {
	for name, opts := range map[string][]overlay.Option{"writer": {overlay.WithWriter()}, "without": nil} {
		b.Run(name, func(b *testing.B) {
			const clients = 64
			s, c := start(b, opts...), newClient(b, clients)
			defer s.stop(b)
			waits := make([]time.Duration, b.N)
			var next atomic.Int64
			var everyone sync.WaitGroup
			b.ResetTimer()
			for range clients {
				everyone.Add(1)
				go func() {
					defer everyone.Done()
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						begun := time.Now()
						if code, err := call(background, c, "POST", s.url+"/notes", note{Text: "a note"}, nil); code != 201 || err != nil {
							b.Error(code, err)
						}
						waits[i] = time.Since(begun)
					}
				}()
			}
			everyone.Wait()
			b.StopTimer()
			slices.Sort(waits)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notes/s")
			b.ReportMetric(float64(waits[b.N/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(waits[b.N*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
