// Command httpserver keeps notes in an SQLite file and serves them as JSON.
//
//	go run ./examples/httpserver                               # a demonstration
//	go run ./examples/httpserver -listen :8080 -db notes.db    # serves until SIGINT or SIGTERM
//
//	GET  /notes         the latest notes
//	POST /notes         adds one: {"text": "…"}
//	GET  /notes/{id}    one note
//	GET  /debug/sqlaio  what the engine is doing, for operators
//
// When a client hangs up, its query is stopped. After a signal, requests in progress
// may finish within the time given by -grace; then they are stopped too.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "", "serve on this `address` until a signal arrives")
	file := flag.String("db", "notes.db", "the SQLite `file` to serve")
	grace := flag.Duration("grace", 10*time.Second, "how long requests may take after the signal")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the process

	var err error
	if *listen == "" {
		err = demo(ctx)
	} else {
		err = listenAndServe(ctx, *listen, *file, *grace)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// listenAndServe serves a file until ctx ends.
func listenAndServe(ctx context.Context, address, file string, grace time.Duration) error {
	n, err := openNotes(ctx, file)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		n.close(ctx)
		return err
	}
	fmt.Println("serving on", l.Addr())
	err = newServer(n).serve(ctx, l, grace)
	fmt.Println("served", l.Addr())
	return err
}
