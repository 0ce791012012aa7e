package overlaytest

import (
	"database/sql/driver"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay"
)

// An Option configures New.
type Option func(*config)

type config struct {
	engine    []overlay.Option
	matcher   sqlmock.QueryMatcher  // nil: sqlmock's default
	converter driver.ValueConverter // likewise
	pings     bool
	patience  time.Duration
}

func newConfig(opts []Option) *config {
	c := &config{engine: []overlay.Option{overlay.WithLanes(1)}, patience: 5 * time.Second}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	return c
}

// WithEngine configures the engine.
func WithEngine(opts ...overlay.Option) Option {
	return func(c *config) { c.engine = append(c.engine, opts...) }
}

// WithQueryMatcher sets how the mock compares statements: sqlmock.QueryMatcherOption.
func WithQueryMatcher(m sqlmock.QueryMatcher) Option { return func(c *config) { c.matcher = m } }

// WithValueConverter sets what the mock does to arguments: sqlmock.ValueConverterOption.
func WithValueConverter(v driver.ValueConverter) Option { return func(c *config) { c.converter = v } }

// WithPings has the mock expect pings: sqlmock.MonitorPingsOption.
func WithPings() Option { return func(c *config) { c.pings = true } }

// WithPatience sets how long the end of the test waits for calls that run and for
// connections that somebody is about to close, each; the default is five seconds.
func WithPatience(d time.Duration) Option { return func(c *config) { c.patience = d } }
