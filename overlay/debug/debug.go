package debug

import (
	"database/sql/driver"
	"encoding/json"
	"io"
	"net/http"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

// An Option configures a Handler.
type Option func(*handler)

// WithValues shows statements as they were written, with the values in them, and the
// arguments of those that run. Without it values are shown as "?".
func WithValues() Option { return func(h *handler) { h.show = withValues } }

// Handler returns a handler that shows what an engine is doing, as HTML or, with
// ?format=json, as JSON. It answers GET and HEAD, below any path. It runs in the
// request's goroutine, and holds the engine's lock while it notes at most 1,000 calls that
// wait. Between requests it costs nothing. It works after Shutdown too, and is safe for
// concurrent use.
func Handler(e *overlay.Engine, opts ...Option) http.Handler {
	h := &handler{engine: e, show: withoutValues}
	for _, o := range opts {
		if o != nil {
			o(h)
		}
	}
	return h
}

type handler struct {
	engine *overlay.Engine
	show   func(statement string, args []driver.NamedValue) string
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Add("Content-Security-Policy", policy) // to what middleware may demand
	switch r.URL.Query().Get("format") {
	case "", "html":
		h.page(w)
	case "css":
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		io.WriteString(w, pageCSS)
	case "js":
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		io.WriteString(w, pageJS)
	case "json":
		h.json(w)
	default:
		http.Error(w, "unknown format: there are html, which is the default, and json", http.StatusBadRequest)
	}
}

func (h *handler) json(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.Encode(inspect.Of(h.engine, h.show)) // an error says that the client has left
}
