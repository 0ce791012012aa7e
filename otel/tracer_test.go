package otelaio_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	sqlite "github.com/mattn/go-sqlite3"
	aio "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	otelaio "github.com/sqlaio/sqlaio/otel"
	"github.com/sqlaio/sqlaio/overlay"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is an SQLite database with the SDK's in-memory exporters.
type fixture struct {
	driver, dsn string
	exporter    *tracetest.InMemoryExporter
	spans       *sdktrace.TracerProvider
	reader      *sdkmetric.ManualReader
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	f.spans = sdktrace.NewTracerProvider(sdktrace.WithSyncer(f.exporter))
	tracer, err := otelaio.New(semconv.DBSystemNameSQLite, otelaio.WithTracerProvider(f.spans),
		otelaio.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(f.reader))),
		otelaio.WithAttributes(semconv.DBNamespace("main")))
	if err != nil {
		t.Fatal(err)
	}
	f.driver, f.dsn = "otel-"+t.Name(), filepath.Join(t.TempDir(), "a.db")
	aio.Register(f.driver, &sqlite.SQLiteDriver{}, aio.WithTracer(tracer))
	return f
}

// take returns the spans that have ended since the last time.
func (f *fixture) take() tracetest.SpanStubs {
	defer f.exporter.Reset()
	return f.exporter.GetSpans()
}

func names(spans tracetest.SpanStubs) string {
	var names []string
	for _, s := range spans {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func attributes(s tracetest.SpanStub) map[attribute.Key]attribute.Value {
	m := make(map[attribute.Key]attribute.Value)
	for _, kv := range s.Attributes {
		m[kv.Key] = kv.Value
	}
	return m
}

func TestSpansOfDatabaseSQL(t *testing.T) {
	f := newFixture(t)
	db, err := sql.Open(f.driver, f.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	ctx, parent := f.spans.Tracer("test").Start(context.Background(), "request")
	exec := func(query string, args ...any) error {
		_, err := db.ExecContext(ctx, query, args...)
		return err
	}
	if err := errors.Join(exec("CREATE TABLE t (name TEXT UNIQUE)"), exec("INSERT INTO t VALUES ('literal'), (?)", "argument")); err != nil {
		t.Fatal(err)
	}
	failed := exec("INSERT INTO t VALUES (?)", "argument")
	if failed == nil {
		t.Error("no error")
	}
	rows, err := db.QueryContext(ctx, "SELECT name FROM t")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	tx.Commit()
	spans := f.take()
	if got, want := names(spans), "CONNECT, CREATE, INSERT, INSERT, SELECT, BEGIN, COMMIT"; got != want {
		t.Fatalf("spans %s, want %s", got, want)
	}
	for _, s := range spans {
		got := attributes(s)
		if s.Parent.SpanID() != parent.SpanContext().SpanID() || s.SpanKind != trace.SpanKindClient ||
			got["db.system.name"].AsString() != "sqlite" || got["db.namespace"].AsString() != "main" ||
			got["db.operation.name"].AsString() != s.Name || got["sqlaio.on_thread"].AsFloat64() <= 0 {
			t.Errorf("%s: parent %v, kind %v, %v", s.Name, s.Parent.SpanID(), s.SpanKind, got)
		}
		if strings.Contains(fmt.Sprint(s), "argument") || strings.Contains(fmt.Sprint(s), "literal") {
			t.Errorf("%s shows a value: %v", s.Name, s)
		}
	}
	if got := attributes(spans[2])["db.query.text"].AsString(); got != "INSERT INTO t VALUES (?), (?)" {
		t.Errorf("text %q", got)
	}
	if got := attributes(spans[3])["error.type"].AsString(); spans[3].Status.Code != codes.Error || got != "github.com/mattn/go-sqlite3.Error" ||
		spans[3].Status.Description != failed.Error() {
		t.Errorf("status %v, error.type %q", spans[3].Status, got)
	}
	if got := attributes(spans[4])["db.response.returned_rows"].AsInt64(); got != 2 {
		t.Errorf("%d rows", got)
	}
}

func TestSpansOfTheOverlay(t *testing.T) {
	f := newFixture(t)
	e, err := overlay.Open(f.driver, f.dsn, overlay.WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	defer e.Shutdown(ctx)
	if _, err := e.ExecAsync(ctx, "CREATE TABLE t (a)").Await(ctx); err != nil {
		t.Fatal(err)
	}
	f.take()
	_, err = overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int64, error) {
		r, err := c.ExecContext(ctx, "INSERT INTO t VALUES (1)")
		if err != nil {
			return 0, err
		}
		return r.RowsAffected()
	}).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.ExecManyAsync(ctx, "INSERT INTO t VALUES (?)", [][]any{{1}, {2}, {3}}).Await(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ScalarAsync(ctx, "SELECT a FROM t WHERE a > 100").Await(ctx); err != sql.ErrNoRows {
		t.Error(err)
	}
	spans := f.take()
	if got, want := names(spans), "INSERT, FUNCTION, BATCH, SELECT"; got != want {
		t.Fatalf("spans %s, want %s", got, want)
	}
	if spans[0].Parent.SpanID() != spans[1].SpanContext.SpanID() || spans[1].SpanKind != trace.SpanKindInternal {
		t.Error("a statement of a function is not in its span")
	}
	at := attributes(spans[1])
	if fn := at["code.function.name"].AsString(); !strings.HasSuffix(fn, ".TestSpansOfTheOverlay") ||
		at["code.line.number"].AsInt64() == 0 || filepath.Base(at["code.file.path"].AsString()) != "tracer_test.go" {
		t.Errorf("a function was called at %v", at)
	}
	if n := attributes(spans[2])["db.operation.batch.size"].AsInt64(); n != 3 {
		t.Errorf("batch of %d", n)
	}
	if spans[3].Status.Code != codes.Unset {
		t.Errorf("a query without rows has status %v", spans[3].Status)
	}
}

func TestMetrics(t *testing.T) {
	f := newFixture(t)
	db, err := sql.Open(f.driver, f.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		db.Exec("SELECT 1")
	}
	db.Exec("nonsense")
	var all metricdata.ResourceMetrics
	if err := f.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		h, ok := m.Data.(metricdata.Histogram[float64])
		if !ok || m.Unit != "s" {
			t.Errorf("%s is a %T in %q", m.Name, m.Data, m.Unit)
			continue
		}
		for _, p := range h.DataPoints {
			op, _ := p.Attributes.Value("db.operation.name")
			system, _ := p.Attributes.Value("db.system.name")
			failed, _ := p.Attributes.Value("error.type")
			counts[strings.TrimSpace(fmt.Sprint(m.Name, " ", system.AsString(), " ", op.AsString(), " ", failed.AsString()))] += p.Count
			if p.Bounds[0] != 0.001 {
				t.Errorf("%s has bounds %v", m.Name, p.Bounds)
			}
		}
	}
	for _, name := range []string{"db.client.operation.duration", "sqlaio.client.queue.duration"} {
		for what, want := range map[string]uint64{"SELECT": 3, "PING": 1, "NONSENSE github.com/mattn/go-sqlite3.Error": 1, "CONNECT": 0} {
			if got := counts[name+" sqlite "+what]; got != want {
				t.Errorf("%s: %d of %s, want %d: %v", name, got, what, want, counts)
			}
		}
	}
}

// A call that was withdrawn has a span too.
func TestWithdrawnCall(t *testing.T) {
	f := newFixture(t)
	e, err := overlay.Open(f.driver, f.dsn, overlay.WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.ExecAsync(ctx, "SELECT 1").Await(context.Background())
	spans := f.take()
	if got := attributes(spans[0])["error.type"].AsString(); got != "context.Canceled" {
		t.Errorf("error.type %q", got)
	}
}

func Example() {
	spans := tracetest.NewInMemoryExporter()
	tracer, err := otelaio.New(semconv.DBSystemNameSQLite,
		otelaio.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	if err != nil {
		panic(err)
	}
	aio.Register("sqlite3-otel", &sqlite.SQLiteDriver{}, aio.WithTracer(tracer))
	db, _ := sql.Open("sqlite3-otel", ":memory:")
	defer db.Close()
	db.Exec("create table t (a)")
	for _, s := range spans.GetSpans() {
		fmt.Println(s.SpanKind, s.Name)
	}
	// Output:
	// client CONNECT
	// client CREATE
}
