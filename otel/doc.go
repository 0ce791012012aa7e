// Package otelaio makes OpenTelemetry spans and metrics of the calls of package
// [github.com/sqlaio/sqlaio/driver] and of the overlay, by the semantic conventions for
// databases. It is a module of its own, so that only its users download OpenTelemetry. It
// needs Go 1.26.
//
//	import (
//		"github.com/mattn/go-sqlite3"
//		semconv "go.opentelemetry.io/otel/semconv/v1.43.0" // or another version that has the name
//
//		aio "github.com/sqlaio/sqlaio/driver"
//		_ "github.com/sqlaio/sqlaio/driver/sqlite3" // the adapter
//		otelaio "github.com/sqlaio/sqlaio/otel"
//		"github.com/sqlaio/sqlaio/overlay"
//	)
//
//	tracer, err := otelaio.New(semconv.DBSystemNameSQLite) // with otel's global providers
//	aio.Register("sqlite3-otel", &sqlite3.SQLiteDriver{}, aio.WithTracer(tracer))
//	engine, err := overlay.Open("sqlite3-otel", "app.db") // or sql.Open("sqlite3-otel", "app.db")
//
// Shut the providers down after the engine or the sql.DB, so that they get the last spans.
//
// # Spans
//
// There is a span for each call that has something done by the database, one for a
// connection that is opened (CONNECT), and one for each function on the thread (FUNCTION),
// around those of its calls. Resetting and closing a connection have none. A span belongs
// to that of the call's context. It has db.system.name, db.operation.name, which is the
// first word of a statement, db.query.text, and where they apply db.operation.batch.size,
// db.response.returned_rows, db.response.status_code and error.type. A FUNCTION has
// code.function.name, code.file.path and code.line.number, the line of the application that
// has called RunInThread, Write or Raw. The attributes sqlaio.queued and sqlaio.on_thread are
// how long the call has waited for its thread or lane, and how long the thread was busy with
// it, in seconds.
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
