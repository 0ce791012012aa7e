// Package otelaio makes OpenTelemetry spans and metrics of the calls of package
// [github.com/sqlaio/sqlaio/driver] and of the overlay, by the semantic conventions for
// databases. It is a module of its own, so that only its users download OpenTelemetry:
//
//	import otelaio "github.com/sqlaio/sqlaio/otel"
//
//	tracer, err := otelaio.New(semconv.DBSystemNameSQLite)
//	aio.Register("sqlite3-otel", &sqlite3.SQLiteDriver{}, aio.WithTracer(tracer))
//
// # Spans
//
// There is a span for each call that has something done by the database, one for a
// connection that is opened (CONNECT), and one for each function on the thread (FUNCTION),
// around those of its calls. Resetting and closing a connection have none. A span belongs
// to that of the call's context. It has db.system.name, db.operation.name, which is the
// first word of a statement, db.query.text, and where they apply db.operation.batch.size,
// db.response.returned_rows, db.response.status_code and error.type. The attributes
// sqlaio.queued and sqlaio.on_thread are how long the call has waited for its thread or lane,
// and how long the thread was busy with it, in seconds.
//
// Arguments are never recorded. Literals in a statement are replaced by ?, and what a
// database quotes in an error is left out.
//
// # Metrics
//
// db.client.operation.duration is the time from a call's start to its end, and
// sqlaio.client.queue.duration the part of it that the call has waited for its thread or
// lane. Both are histograms of seconds with db.system.name, db.operation.name and
// error.type. Functions and connections are not in them.
package otelaio
