package drivertest

import "database/sql/driver"

// modernConns have all context methods and session handling as well.
var modernConns = map[Features]func(*conn) driver.Conn{
	ctxBasicFeatures | sessionFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
		}{c, newCtxBasics(c), newSession(c)}
	},
	ctxBasicFeatures | sessionFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			valueChecker
		}{c, newCtxBasics(c), newSession(c), valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | oldPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			oldPaths
		}{c, newCtxBasics(c), newSession(c), newOldPaths(c)}
	},
	ctxBasicFeatures | sessionFeatures | oldPathFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			oldPaths
			valueChecker
		}{c, newCtxBasics(c), newSession(c), newOldPaths(c), valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | ctxPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			ctxPaths
		}{c, newCtxBasics(c), newSession(c), newCtxPaths(c)}
	},
	ctxBasicFeatures | sessionFeatures | ctxPathFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			ctxPaths
			valueChecker
		}{c, newCtxBasics(c), newSession(c), newCtxPaths(c), valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | oldPathFeatures | ctxPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			oldPaths
			ctxPaths
		}{c, newCtxBasics(c), newSession(c), newOldPaths(c), newCtxPaths(c)}
	},
	ctxBasicFeatures | sessionFeatures | oldPathFeatures | ctxPathFeatures | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			oldPaths
			ctxPaths
			valueChecker
		}{c, newCtxBasics(c), newSession(c), newOldPaths(c), newCtxPaths(c), valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | Execer: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			execer
		}{c, newCtxBasics(c), newSession(c), execer{c}}
	},
	ctxBasicFeatures | sessionFeatures | Execer | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			execer
			valueChecker
		}{c, newCtxBasics(c), newSession(c), execer{c}, valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | Queryer: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			queryer
		}{c, newCtxBasics(c), newSession(c), queryer{c}}
	},
	ctxBasicFeatures | sessionFeatures | Queryer | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			queryer
			valueChecker
		}{c, newCtxBasics(c), newSession(c), queryer{c}, valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | ExecerContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			execerCtx
		}{c, newCtxBasics(c), newSession(c), execerCtx{c}}
	},
	ctxBasicFeatures | sessionFeatures | ExecerContext | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			execerCtx
			valueChecker
		}{c, newCtxBasics(c), newSession(c), execerCtx{c}, valueChecker{c}}
	},
	ctxBasicFeatures | sessionFeatures | QueryerContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			queryerCtx
		}{c, newCtxBasics(c), newSession(c), queryerCtx{c}}
	},
	ctxBasicFeatures | sessionFeatures | QueryerContext | ConnChecker: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			session
			queryerCtx
			valueChecker
		}{c, newCtxBasics(c), newSession(c), queryerCtx{c}, valueChecker{c}}
	},
}
