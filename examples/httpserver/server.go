package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/sqlaio/sqlaio/overlay/debug"
)

// server serves notes, and closes them at the end.
type server struct {
	notes *notes
	mux   *http.ServeMux
	http  *http.Server
}

func newServer(n *notes) *server {
	s := &server{notes: n, mux: http.NewServeMux()}
	s.http = &http.Server{Handler: s.mux, ReadHeaderTimeout: 10 * time.Second}
	s.mux.HandleFunc("GET /notes", s.list)
	s.mux.HandleFunc("POST /notes", s.add)
	s.mux.HandleFunc("GET /notes/{id}", s.get)
	s.mux.Handle("GET /debug/sqlaio", debug.Handler(n.engine)) // elsewhere, only for operators
	return s
}

// serve accepts connections until ctx ends, and then shuts down within grace. ctx
// is not passed to the requests: those in progress may finish.
func (s *server) serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served: // the listener failed
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, s.shutdown(ending))
}

// shutdown accepts no more requests and waits for those in progress until ctx ends.
// Then it hangs up, which ends the contexts of their queries. In either case
// nothing is running in the database when it returns.
func (s *server) shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	return errors.Join(err, s.notes.close(ctx))
}
