package debug_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"path"

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
				Place struct{ Function string } // and File, Line
			}
		}
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &state); err != nil {
		log.Fatal(err)
	}
	for _, c := range state.Connections {
		for _, tx := range c.Transactions {
			fmt.Printf("%s, with a transaction from %s\n", c.State, path.Base(tx.Place.Function))
		}
	}
	// Output: idle, with a transaction from debug_test.ExampleHandler
}

// On a page for developers, statements may be shown as they were written.
func ExampleOption() {
	ctx := context.Background()
	engine, err := overlay.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(ctx)
	begun, end := make(chan struct{}), make(chan struct{})
	overlay.RunInThread(ctx, engine, func(context.Context, *sql.Conn) (int, error) {
		close(begun)
		<-end // the only lane is busy until then
		return 0, nil
	})
	<-begun
	defer close(end)
	engine.ScalarAsync(ctx, "SELECT 6 * 7")

	for _, h := range []http.Handler{debug.Handler(engine), debug.Handler(engine, debug.WithValues())} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "/?format=json", nil))
		var state struct {
			Waiting struct{ Calls []struct{ What string } }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &state); err != nil {
			log.Fatal(err)
		}
		for _, c := range state.Waiting.Calls {
			fmt.Println(c.What, "waits")
		}
	}
	// Output:
	// SELECT ? * ? waits
	// SELECT 6 * 7 waits
}
