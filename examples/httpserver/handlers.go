package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"

	"github.com/sqlaio/sqlaio/overlay"
)

const (
	pageSize = 100     // notes in a list
	bodySize = 1 << 20 // bytes in a note
)

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	list, err := s.notes.latest(r.Context(), pageSize)
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, list)
}

func (s *server) add(w http.ResponseWriter, r *http.Request) {
	// net/http notices that the client has hung up only after the body has been read
	// to its end. A json.Decoder would stop at the end of the value.
	var n note
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodySize))
	if err == nil {
		err = json.Unmarshal(body, &n)
	}
	if err != nil || n.Text == "" {
		http.Error(w, `expected {"text": "…"}`, http.StatusBadRequest)
		return
	}
	n, err = s.notes.add(r.Context(), n.Text)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprint("/notes/", n.ID))
	answer(w, http.StatusCreated, n)
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	n, err := s.notes.get(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, n)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // this fails if the client has left
}

// fail answers a request whose query failed.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil: // the client has left
		panic(http.ErrAbortHandler)
	case errors.Is(err, sql.ErrNoRows):
		http.NotFound(w, r)
	case errors.Is(err, overlay.ErrClosed), errors.Is(err, overlay.ErrQueueFull):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "try again later", http.StatusServiceUnavailable)
	default:
		log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
}
