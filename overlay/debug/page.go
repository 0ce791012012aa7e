package debug

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// policy lets the page load only what this handler serves.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// mostRows bounds a table.
const mostRows = 50

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"age": age, "level": level, "heldLevel": heldLevel, "first": first, "more": more, "number": number,
	"clock":    func(t time.Time) string { return t.Format("15:04:05.0") },
	"base":     path.Base,
	"dir":      dir,
	"function": func(name string) string { return path.Base(name) },
}).Parse(pageHTML))

// pageData is what the template shows.
type pageData struct {
	*inspect.Snapshot
	Problems []problem
	Charts   []chart
	Busy     int // lanes
	Others   int // connections in use that are not the engine's
}

// Title says in a browser's tab whether to look.
func (p *pageData) Title() string {
	if len(p.Problems) == 0 {
		return "OK – sqlaio"
	}
	what, _, _ := strings.Cut(p.Problems[0].Text, ",")
	return fmt.Sprintf("%s %s – sqlaio", age(p.Problems[0].Seconds), what)
}

// Level is that of the worst problem.
func (p *pageData) Level() string {
	if len(p.Problems) == 0 {
		return ""
	}
	return p.Problems[0].Level
}

func (h *handler) page(w http.ResponseWriter) {
	s := inspect.Of(h.engine, h.show)
	p := &pageData{
		Snapshot: s, Problems: problems(s), Busy: busy(s), Others: max(s.Pool.InUse-s.Pool.Engine, 0),
		Charts: []chart{newChart("How long calls ran", s.Times["running"]), newChart("How long calls waited for a lane", s.Times["waiting"])},
	}
	var b bytes.Buffer
	if err := page.Execute(&b, p); err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}

// age formats seconds.
func age(s float64) string {
	switch {
	case s < 1e-3:
		return strconv.FormatFloat(s*1e6, 'f', 0, 64) + " µs"
	case s < 1:
		return strconv.FormatFloat(s*1e3, 'f', 0, 64) + " ms"
	case s < 60:
		return strconv.FormatFloat(math.Floor(s*10)/10, 'f', 1, 64) + " s"
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	}
	return fmt.Sprintf("%d h %02d min", int(s)/3600, int(s)%3600/60)
}

// dir is the end of a file's directory.
func dir(file string) string {
	parts := strings.SplitAfter(strings.TrimSuffix(file, path.Base(file)), "/")
	return strings.Join(parts[max(0, len(parts)-3):], "")
}

func first(rows any) any {
	v := reflect.ValueOf(rows)
	return v.Slice(0, min(v.Len(), mostRows)).Interface()
}

func more(rows any) string {
	if n := reflect.ValueOf(rows).Len(); n > mostRows {
		return fmt.Sprintf("and %d more", n-mostRows)
	}
	return ""
}

// number formats a field of overlay.Stats.
func number(v any) string {
	if s, ok := v.(float64); ok { // a duration
		return age(s)
	}
	return fmt.Sprint(v)
}
