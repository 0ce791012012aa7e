package drivertest

import "database/sql/driver"

// basicConns have nothing but paths for statements and a checker.
var basicConns = map[Features]func(*conn) driver.Conn{
	Minimal: func(c *conn) driver.Conn {
		return struct{ *conn }{c}
	},
	ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			valueChecker
		}{c, valueChecker{c}}
	},
	oldPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
		}{c, newOldPaths(c)}
	},
	oldPathFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			valueChecker
		}{c, newOldPaths(c), valueChecker{c}}
	},
	ctxPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxPaths
		}{c, newCtxPaths(c)}
	},
	ctxPathFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxPaths
			valueChecker
		}{c, newCtxPaths(c), valueChecker{c}}
	},
	oldPathFeatures | ctxPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			ctxPaths
		}{c, newOldPaths(c), newCtxPaths(c)}
	},
	oldPathFeatures | ctxPathFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			ctxPaths
			valueChecker
		}{c, newOldPaths(c), newCtxPaths(c), valueChecker{c}}
	},
	Execer: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
		}{c, execer{c}}
	},
	Execer | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			execer
			valueChecker
		}{c, execer{c}, valueChecker{c}}
	},
	Queryer: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryer
		}{c, queryer{c}}
	},
	Queryer | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryer
			valueChecker
		}{c, queryer{c}, valueChecker{c}}
	},
	ExecerContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			execerCtx
		}{c, execerCtx{c}}
	},
	ExecerContext | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			execerCtx
			valueChecker
		}{c, execerCtx{c}, valueChecker{c}}
	},
	QueryerContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryerCtx
		}{c, queryerCtx{c}}
	},
	QueryerContext | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			queryerCtx
			valueChecker
		}{c, queryerCtx{c}, valueChecker{c}}
	},
}
