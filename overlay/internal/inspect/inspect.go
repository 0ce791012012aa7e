// Package inspect lets package debug see what an engine is doing. Its types are the
// JSON that debug serves, which is described there.
package inspect

import (
	"database/sql/driver"
	"time"
)

// Of takes a snapshot of an *overlay.Engine. show returns a statement, with its
// arguments if they are known, as it may be shown. Package overlay sets Of.
var Of func(engine any, show func(statement string, args []driver.NamedValue) string) *Snapshot

// A Snapshot is what an engine is doing. Its parts are taken one after the other.
type Snapshot struct {
	Time        time.Time        `json:"time"`
	Engine      string           `json:"engine"`
	Closed      bool             `json:"closed"` // Shutdown was called
	Running     []Call           `json:"running"`
	Waiting     Waiting          `json:"waiting"`
	Connecting  []Wait           `json:"connecting"`
	Connections []Connection     `json:"connections"`
	Lanes       Lanes            `json:"lanes"`
	Writer      *Lane            `json:"writer"` // nil: there is none, or it has no connection now
	Pool        Pool             `json:"pool"`
	Dispatcher  int              `json:"dispatcher_waiting"`
	Stats       map[string]any   `json:"stats"`
	Times       map[string][]Bar `json:"times"`
	Slow        Slow             `json:"slow"`
}

// A Place is a line of the application.
type Place struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Function string `json:"function"`
}

// An Age is when something began, and how long ago that was.
type Age struct {
	Since   time.Time `json:"since"`
	Seconds float64   `json:"seconds"`
}

// A Call is one that runs.
type Call struct {
	What  string `json:"what"`
	Last  string `json:"last_statement"` // of a function
	Place *Place `json:"place"`
	Age
	Waited float64 `json:"waited_seconds"`
	State  string  `json:"state"`
	On     string  `json:"on"`
	Thread int     `json:"thread"`
}

// The states of a Call.
const (
	Running  = "running"
	Stopping = "stopping" // it was asked to stop
	Left     = "left"     // and has not: nobody waits for it
)

// Waiting is the calls that wait.
type Waiting struct {
	Count   int     `json:"count"`
	Oldest  float64 `json:"oldest_seconds"`
	Grouped int     `json:"grouped"` // how many of them, the oldest, are in Calls
	Calls   []Wait  `json:"calls"`
}

// A Wait is calls of one kind from one place, with the age of the oldest.
type Wait struct {
	What  string `json:"what"`
	Place *Place `json:"place"`
	Count int    `json:"count"`
	Age
}

// A Connection is one that somebody holds.
type Connection struct {
	Place *Place `json:"place"`
	Age
	Thread        int      `json:"thread"`
	State         string   `json:"state"` // running, idle, closing, lost
	Idle          float64  `json:"idle_seconds"`
	Waiting       int      `json:"waiting"`
	InTransaction bool     `json:"in_transaction"`
	Transactions  []Held   `json:"transactions"`
	Streams       []Stream `json:"streams"`
}

// Held is something that was opened.
type Held struct {
	What  string `json:"what"`
	Place *Place `json:"place"`
	Age
}

// A Stream is a stream that is open.
type Stream struct {
	Held
	Buffered int `json:"buffered_rows"`
}

// Lanes are an engine's own connections.
type Lanes struct {
	Most    int    `json:"most"`
	Opening int    `json:"opening"`
	Open    []Lane `json:"open"`
}

// A Lane is one of them.
type Lane struct {
	Thread int    `json:"thread"`
	State  string `json:"state"` // running, idle
	Age
}

// Pool is what the sql.DB says of its connections.
type Pool struct {
	Most    int     `json:"most"` // 0: no limit
	Open    int     `json:"open"`
	InUse   int     `json:"in_use"`
	Engine  int     `json:"in_use_by_engine"`
	Waiting int     `json:"waiting"` // for a connection, in the engine
	Waits   int64   `json:"waits"`   // in the pool, ever
	Waited  float64 `json:"waited_seconds"`
}

// A Bar is how many calls took less than Below seconds, and no less than the bar before
// it says. The last one has no end: Below is 0.
type Bar struct {
	Below float64 `json:"below_seconds"`
	Count int64   `json:"count"`
}

// Slow is the slow calls.
type Slow struct {
	After float64    `json:"after_seconds"`
	Count int        `json:"count"` // ever
	Calls []SlowCall `json:"calls"`
}

// A SlowCall is one that has ended, the last one first.
type SlowCall struct {
	What    string    `json:"what"`
	Place   *Place    `json:"place"`
	Ended   time.Time `json:"ended"`
	Seconds float64   `json:"seconds"`
	Waited  float64   `json:"waited_seconds"`
	Outcome string    `json:"outcome"` // done, failed, stopped
}

// Seconds returns d in seconds, to the microsecond.
func Seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

// Ago returns the age of what began at since.
func Ago(at, since time.Time) Age {
	ago := max(at.Sub(since), 0)
	return Age{at.Add(-ago).Truncate(time.Millisecond), Seconds(ago)}
}
