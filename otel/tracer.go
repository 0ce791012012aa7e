package otelaio

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/warnings"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/sqlaio/sqlaio/otel"

// mostText bounds db.query.text, in bytes.
const mostText = 2048

// buckets are those that the conventions recommend.
var buckets = metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)

// tracer is an aio.Tracer.
type tracer struct {
	spans    trace.Tracer
	duration metric.Float64Histogram
	queue    metric.Float64Histogram
	common   []attribute.KeyValue
}

// spanKey is where a context has the span of a call of the tracer's.
type spanKey struct{ t *tracer }

// New returns a tracer for aio.WithTracer. system is a value of db.system.name, such as
// semconv.DBSystemNameSQLite. Without options it uses the global providers. The error is
// that of making the instruments.
func New(system attribute.KeyValue, opts ...Option) (aio.Tracer, error) {
	c := config{spans: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, o := range opts {
		o(&c)
	}
	meter := c.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	duration, err := dbconv.NewClientOperationDuration(meter, buckets)
	if err != nil {
		return nil, err
	}
	queue, err := meter.Float64Histogram("sqlaio.client.queue.duration", metric.WithUnit("s"),
		metric.WithDescription("How long calls have waited for a thread or a lane."), buckets)
	if err != nil {
		return nil, err
	}
	return &tracer{
		spans:    c.spans.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		duration: duration.Inst(),
		queue:    queue,
		common:   append([]attribute.KeyValue{system}, c.attributes...),
	}, nil
}

// TraceStart begins a span.
func (t *tracer) TraceStart(ctx context.Context, call aio.TraceCall) context.Context {
	if call.Op == aio.OpReset || call.Op == aio.OpClose {
		return ctx
	}
	name := operation(call)
	kind := trace.SpanKindClient
	if call.Op == aio.OpFunction {
		kind = trace.SpanKindInternal
	}
	ctx, span := t.spans.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(t.common...),
		trace.WithAttributes(semconv.DBOperationName(name)))
	if span.IsRecording() {
		if call.Statement != "" {
			span.SetAttributes(semconv.DBQueryText(call.Short(mostText)))
		}
		if call.Op == aio.OpFunction {
			if site := warnings.Caller(); !site.IsZero() {
				span.SetAttributes(semconv.CodeFunctionName(site.Function()),
					semconv.CodeFilePath(site.File()), semconv.CodeLineNumber(site.Line()))
			}
		}
		if call.BatchSize > 1 {
			span.SetAttributes(semconv.DBOperationBatchSize(call.BatchSize))
		}
	}
	return context.WithValue(ctx, spanKey{t}, span)
}

// TraceEnd ends the span, and records the metrics.
func (t *tracer) TraceEnd(ctx context.Context, end aio.TraceEnd) {
	if end.Op == aio.OpReset || end.Op == aio.OpClose {
		return
	}
	failed := end.Err != nil && !errors.Is(end.Err, sql.ErrNoRows) // of a query that has worked
	if span, ok := ctx.Value(spanKey{t}).(trace.Span); ok {
		if span.IsRecording() {
			span.SetAttributes(attribute.Float64("sqlaio.queued", end.Queued.Seconds()),
				attribute.Float64("sqlaio.on_thread", end.OnThread.Seconds()))
			if end.Op == aio.OpQuery && end.Rows >= 0 {
				span.SetAttributes(semconv.DBResponseReturnedRows(int(end.Rows)))
			}
			if failed {
				span.SetStatus(codes.Error, end.ErrText())
				span.SetAttributes(errorType(end.Err))
				if state := sqlState(end.Err); state != "" {
					span.SetAttributes(semconv.DBResponseStatusCode(state))
				}
			}
		}
		defer span.End()
	}
	if end.Op == aio.OpFunction || end.Op == aio.OpConnect {
		return
	}
	attrs := append(t.common[:len(t.common):len(t.common)], semconv.DBOperationName(operation(end.TraceCall)))
	if failed {
		attrs = append(attrs, errorType(end.Err))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	t.duration.Record(ctx, end.Took.Seconds(), set)
	t.queue.Record(ctx, end.Queued.Seconds(), set)
}

// operation returns the name of an operation. There must be few names, so that of a
// statement is its first word.
func operation(call aio.TraceCall) string {
	switch call.Op {
	case aio.OpBegin, aio.OpCommit, aio.OpRollback:
		return call.Statement
	case aio.OpExec, aio.OpQuery:
		word := call.Short(mostWord)
		if i := strings.IndexFunc(word, func(r rune) bool { return (r|' ') < 'a' || (r|' ') > 'z' }); i >= 0 {
			word = word[:i]
		}
		if word != "" {
			return strings.ToUpper(word)
		}
	}
	return strings.ToUpper(call.Op.String())
}

// mostWord is longer than the first word of any statement.
const mostWord = 24

// errorType returns error.type: for the errors that matter most, their names.
func errorType(err error) attribute.KeyValue {
	for _, known := range []struct {
		err  error
		name string
	}{
		{aio.ErrOutcomeUnknown, "sqlaio.ErrOutcomeUnknown"},
		{aio.ErrRolledBack, "sqlaio.ErrRolledBack"},
		{context.DeadlineExceeded, "context.DeadlineExceeded"},
		{context.Canceled, "context.Canceled"},
	} {
		if errors.Is(err, known.err) {
			return semconv.ErrorTypeKey.String(known.name)
		}
	}
	if state := sqlState(err); state != "" {
		return semconv.ErrorTypeKey.String(state)
	}
	return semconv.ErrorType(err)
}

// sqlState returns the SQLSTATE of an error that has one, as those of pgx and lib/pq.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}
