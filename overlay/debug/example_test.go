package debug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/debug"
)

// An operator opens the page at http://localhost:6060/debug/sqlaio. A script asks for
// the JSON.
func ExampleHandler() {
	ctx := context.Background()
	engine, err := overlay.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(ctx)

	mux := http.NewServeMux() // of a port that only operators reach
	mux.Handle("/debug/sqlaio", debug.Handler(engine))

	conn, err := engine.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.CloseAsync(ctx)
	if _, err := conn.BeginAsync(ctx, nil).Await(ctx); err != nil { // somebody forgets to end it
		log.Fatal(err)
	}

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/debug/sqlaio?format=json", nil))
	var state struct {
		Connections []struct {
			State        string
			Transactions []struct {
				Place struct {
					File string
					Line int
				}
			}
		}
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &state); err != nil {
		log.Fatal(err)
	}
	for _, c := range state.Connections {
		for _, tx := range c.Transactions {
			fmt.Printf("%s, with a transaction from %s:%d\n", c.State, filepath.Base(tx.Place.File), tx.Place.Line)
		}
	}
	// Output: idle, with a transaction from example_test.go:34
}

func ExampleOption() {
	engine, err := overlay.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(context.Background())
	http.Handle("/debug/sqlaio-with-values", debug.Handler(engine, debug.WithValues()))
}
