package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// demo serves a new file, makes a few requests to itself, and shuts down.
func demo(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "httpserver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "notes.db")
	n, err := openNotes(ctx, file)
	if err != nil {
		return err
	}
	s := newServer(n)
	ended := make(chan error, 1)
	s.mux.HandleFunc("GET /forever", s.forever(ended))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.close(ctx)
		return err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.serve(serving, l, 10*time.Second) }()

	err = visit(ctx, "http://"+l.Addr().String(), ended)
	stop() // as a signal would
	if err := errors.Join(err, <-served); err != nil {
		return err
	}

	n, err = openNotes(ctx, file)
	if err != nil {
		return err
	}
	list, err := n.latest(ctx, pageSize)
	fmt.Printf("Shut down. %d notes are in the file.\n", len(list))
	return errors.Join(err, n.close(ctx))
}

// forever handles a request with a query that never ends by itself. It sends the
// query's error to ended.
func (s *server) forever(ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, err := overlay.Scalar[int](r.Context(), s.notes.engine, `
			WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
			SELECT count(*) FROM forever`).Await(atLast(r.Context()))
		ended <- err
		fail(w, r, err)
	}
}

// visit makes a few requests.
func visit(ctx context.Context, url string, ended <-chan error) error {
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	show := func(ctx context.Context, method, path, body string) error {
		r, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		fmt.Printf("%-4s %-9s %s  %s\n", method, path, answer.Status, strings.TrimSpace(string(text)))
		return err
	}

	for _, text := range []string{"buy milk", "call Isaac", "write a show"} {
		if err := show(ctx, "POST", "/notes", fmt.Sprintf(`{"text": %q}`, text)); err != nil {
			return err
		}
	}
	for _, path := range []string{"/notes", "/notes/2", "/notes/4"} {
		if err := show(ctx, "GET", path, ""); err != nil {
			return err
		}
	}

	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := show(short, "GET", "/forever", ""); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("an endless query ended with %v", err)
	}
	fmt.Printf("GET  /forever  hung up after 100 ms; its query ended: %v\n", <-ended)
	return show(ctx, "GET", "/notes/1", "")
}
