package debug_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/debug"
	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

// A policy that allows scripts and styles from 'self' alone is enough for the page, and it
// asks for one itself, without taking back what middleware has demanded.
func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	h := debug.Handler(open(t))
	for format, kind := range map[string]string{"": "text/html", "html": "text/html", "css": "text/css", "js": "text/javascript", "json": "application/json"} {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Security-Policy", "sandbox")
		h.ServeHTTP(w, httptest.NewRequest("GET", "/debug/sqlaio?format="+format, nil))
		if got := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(got, kind) {
			t.Errorf("%s: %d, %s", format, w.Code, got)
		}
		policies := w.Header().Values("Content-Security-Policy")
		if len(policies) != 2 || policies[0] != "sandbox" || !strings.HasPrefix(policies[1], "default-src 'none'; script-src 'self'; style-src 'self';") {
			t.Errorf("%s: policies %q", format, policies)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", format, w.Header())
		}
		if found := regexp.MustCompile(`//[a-z]|(?i)<script>|<style| style=| on[a-z]+=|url\(|@import`).FindString(w.Body.String()); found != "" {
			t.Errorf("%s: there is %s in it", format, found)
		}
	}
}

func TestThePageOfAnEngineThatDoesNothing(t *testing.T) {
	body := get(t, open(t), "/")
	for _, want := range []string{"<title>OK – sqlaio</title>", "Nothing has been running or waiting for long.", "SQLite engine"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}

// Names in statements may be anything.
func TestAStatementIsText(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	stuck := e.QueryAsync(background, strings.Replace(endless, "count(*)", "count(*) AS `</code><script>alert(1)</script>`", 1))
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 })
	for _, opts := range [][]debug.Option{nil, {debug.WithValues()}} {
		body := get(t, e, "/", opts...)
		if strings.Contains(body, "<script>") || !strings.Contains(body, "&lt;script&gt;alert(1)&lt;/script&gt;") {
			t.Error(body)
		}
	}
	stuck.Cancel()
}
