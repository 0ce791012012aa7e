package conformance

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// An Option changes what a suite expects.
type Option func(*suite)

// Lazy expects a wrapper that fetches a row only when it is asked for one: then
// Next and Rows.Close must come just when they come to the bare driver.
func Lazy() Option { return func(s *suite) { s.lazy = true } }

// OneThread expects that all calls of a connection come to the wrapped driver on
// one thread, which no other open connection has.
func OneThread() Option { return func(s *suite) { s.oneThread = true } }

// Few runs each case on a few kinds of drivers only, as -short does.
func Few() Option { return func(s *suite) { s.few = true } }

// RandomOnly runs the random programs only.
func RandomOnly() Option { return func(s *suite) { s.randomOnly = true } }

// Except skips a case in which the wrapper differs on purpose, for the reason
// why.
func Except(name, why string) Option {
	return func(s *suite) { s.except[name] = why }
}

// Run runs every case on drivers opened as sql.Open does it, with and without
// wrap around them. With -short it leaves out most kinds of drivers where a case
// has very many.
func Run(t *testing.T, wrap func(driver.Driver) driver.Driver, opts ...Option) {
	newSuite(driverOpener(wrap), opts).run(t)
}

// RunConnector runs every case on connectors as for sql.OpenDB, with and
// without wrap around them.
func RunConnector(t *testing.T, wrap func(driver.Connector) driver.Connector, opts ...Option) {
	newSuite(connectorOpener(wrap), opts).run(t)
}

// A suite is how to make the two sides of a comparison, and how to compare.
type suite struct {
	bare, wrapped opener
	lazy          bool
	oneThread     bool
	few           bool
	randomOnly    bool
	patience      time.Duration // how long a program may take before it counts as hanging
	except        map[string]string
}

func newSuite(open func(wrapped bool) opener, opts []Option) *suite {
	s := &suite{bare: open(false), wrapped: open(true), patience: 20 * time.Second, except: map[string]string{}}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	return s
}

func (s *suite) run(t *testing.T) {
	for _, c := range Cases() {
		if s.randomOnly {
			break
		}
		t.Run(c.Name, func(t *testing.T) {
			if why := s.except[c.Name]; why != "" {
				t.Skip(why)
			}
			for _, kind := range c.kinds(s.few || testing.Short()) {
				t.Run(kind.String(), func(t *testing.T) {
					for _, d := range s.compare(c, kind) {
						t.Error(d)
					}
				})
			}
		})
	}
	t.Run("Random", s.random)
}

// A Case is a program and the kinds of drivers it is run on.
type Case struct {
	Name string
	// On lists the kinds of drivers; nil means the common ones.
	On []drivertest.Features
	// Withdrawn says that calls may be missing from the wrapped driver: those
	// of a statement that was bound to fail, as when its context had ended.
	Withdrawn bool
	// SeenOnly says that only what the program writes down is compared.
	SeenOnly bool
	Body     func(*Env)
}

// all are the kinds of drivers of a case.
func (c Case) all() []drivertest.Features {
	if c.On == nil {
		return commonKinds
	}
	return c.On
}

// kinds are all of them, or some from all over a long list.
func (c Case) kinds(some bool) []drivertest.Features {
	all := c.all()
	const few = 4
	if !some || len(all) <= few {
		return all
	}
	var chosen []drivertest.Features
	for i := range few { // the first and the last: in a product, nothing and everything
		chosen = append(chosen, all[i*(len(all)-1)/(few-1)])
	}
	return chosen
}
