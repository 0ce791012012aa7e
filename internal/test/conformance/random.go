package conformance

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// random plays programs made up at random on drivers made up at random, and
// shrinks those that tell the sides apart.
func (s *suite) random(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		kind := drawKind(rt)
		program := rapid.SliceOfN(rapid.Custom(drawStep), 1, 30).Draw(rt, "program")
		body := func(e *Env) { newMachine(e).run(program) }
		found := s.differences(s.play(s.bare, kind, body), s.play(s.wrapped, kind, body), false)
		if len(found) > 0 {
			rt.Fatalf("on %v:\n%s", kind, strings.Join(found, "\n"))
		}
	})
}

func drawKind(rt *rapid.T) dt.Features {
	kind := rapid.SampledFrom(dt.ConnShapes()).Draw(rt, "conn") |
		rapid.SampledFrom(dt.StmtShapes()).Draw(rt, "stmt") |
		rapid.SampledFrom(dt.RowsShapes()).Draw(rt, "rows")
	for _, f := range []dt.Features{dt.NumInput, dt.DriverContext, dt.ConnectorClose} {
		if rapid.Bool().Draw(rt, f.String()) {
			kind |= f
		}
	}
	return kind
}

// A step is one call of the program. The numbers choose among what there is
// when the step's turn comes.
type step struct {
	do    string
	which int
	query string
	args  int
	ctx   int
	n     int
}

func (s step) String() string {
	return fmt.Sprintf("%s #%d %q args %d ctx %d n %d", s.do, s.which, s.query, s.args, s.ctx, s.n)
}

var stepKinds = []string{
	"exec", "query", "queryRow", "prepare", "stmtExec", "stmtQuery", "txStmt", "begin", "beginInConn", "conn", "ping",
	"next", "next", "nextSet", "columns", "drain", "closeRows", "closeStmt", "commit", "rollback", "closeConn", "maxIdle", "fault",
}

var stepQueries = []string{
	"echo", "echo ?", "echo ? ?", "rows 0", "rows 3", "rows 40", "rows 300", "rows 5 error at 3", "rows 3 closeerror",
	"rows 4 reuse", "sets 2x2", "sets 3x1 seterror 2", "nested", "affected 2 id 3", "affected error", "fail", "fail 4",
	"badquery", "badconn", "skip rows 3", "skip echo ?", "skip fail",
}

func drawStep(rt *rapid.T) step {
	return step{
		do:    rapid.SampledFrom(stepKinds).Draw(rt, "do"),
		which: rapid.IntRange(0, 3).Draw(rt, "which"),
		query: rapid.SampledFrom(stepQueries).Draw(rt, "query"),
		args:  rapid.IntRange(0, len(stepArgs())-1).Draw(rt, "args"),
		ctx:   rapid.IntRange(0, stepContexts-1).Draw(rt, "ctx"),
		n:     rapid.IntRange(0, 3).Draw(rt, "n"),
	}
}
