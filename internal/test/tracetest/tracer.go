// Package tracetest has a tracer for tests.
package tracetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
)

// A Tracer writes down what it is told.
type Tracer struct {
	mu     sync.Mutex
	starts []aio.TraceCall
	ends   []aio.TraceEnd
	wrong  []string
}

type key struct{}

// CallOf returns the innermost call that a context belongs to.
func CallOf(ctx context.Context) aio.TraceCall {
	call, _ := ctx.Value(key{}).(aio.TraceCall)
	return call
}

// TraceStart is aio.Tracer's.
func (tr *Tracer) TraceStart(ctx context.Context, call aio.TraceCall) context.Context {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.starts = append(tr.starts, call)
	return context.WithValue(ctx, key{}, call)
}

// TraceEnd is aio.Tracer's.
func (tr *Tracer) TraceEnd(ctx context.Context, end aio.TraceEnd) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.ends = append(tr.ends, end)
	if call := CallOf(ctx); call != end.TraceCall {
		tr.wrong = append(tr.wrong, fmt.Sprintf("the end of %v has the context of %v", end, call))
	}
	if end.Queued < 0 || end.OnThread < 0 || end.Queued+end.OnThread > end.Took {
		tr.wrong = append(tr.wrong, fmt.Sprintf("the times of %v do not add up", end))
	}
}

// Told returns the ends since the last time. They must be all that has started.
func (tr *Tracer) Told(t testing.TB) []aio.TraceEnd {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, w := range tr.wrong {
		t.Error(w)
	}
	var ended []aio.TraceCall
	for _, e := range tr.ends {
		ended = append(ended, e.TraceCall)
	}
	for _, s := range tr.starts {
		i := slices.Index(ended, s)
		if i < 0 {
			t.Errorf("%v %q has not ended", s.Op, s.Statement)
			continue
		}
		ended = slices.Delete(ended, i, i+1)
	}
	if len(ended) > 0 {
		t.Errorf("ended, not started: %v", ended)
	}
	ends := tr.ends
	tr.starts, tr.ends, tr.wrong = nil, nil, nil
	return ends
}

// Expect compares ends with lines "op statement rows error".
func Expect(t testing.TB, ends []aio.TraceEnd, want ...string) {
	t.Helper()
	var got []string
	for _, e := range ends {
		got = append(got, strings.Join(strings.Fields(fmt.Sprintf("%v %s %d %v", e.Op, e.Statement, e.Rows, e.Err)), " "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Funcs is a Tracer made of two functions.
type Funcs struct {
	Start func(context.Context, aio.TraceCall) context.Context
	End   func(context.Context, aio.TraceEnd)
}

// TraceStart calls Start.
func (f Funcs) TraceStart(ctx context.Context, c aio.TraceCall) context.Context {
	return f.Start(ctx, c)
}

// TraceEnd calls End.
func (f Funcs) TraceEnd(ctx context.Context, e aio.TraceEnd) { f.End(ctx, e) }
