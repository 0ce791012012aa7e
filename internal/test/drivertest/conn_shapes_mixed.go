package drivertest

import "database/sql/driver"

// mixedConns lack some of what comes together elsewhere.
var mixedConns = map[Features]func(*conn) driver.Conn{
	ctxBasicFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
		}{c, newCtxBasics(c)}
	},
	ctxBasicFeatures | ctxPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			ctxPaths
		}{c, newCtxBasics(c), newCtxPaths(c)}
	},
	ctxBasicFeatures | ctxPathFeatures | SessionResetter: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			ctxPaths
			resetter
		}{c, newCtxBasics(c), newCtxPaths(c), resetter{c}}
	},
	ctxBasicFeatures | ctxPathFeatures | Validator: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			ctxPaths
			validator
		}{c, newCtxBasics(c), newCtxPaths(c), validator{c}}
	},
	ctxBasicFeatures | oldPathFeatures | ctxPathFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxBasics
			oldPaths
			ctxPaths
		}{c, newCtxBasics(c), newOldPaths(c), newCtxPaths(c)}
	},
	oldPathFeatures | SessionResetter: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			resetter
		}{c, newOldPaths(c), resetter{c}}
	},
	oldPathFeatures | Validator: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			validator
		}{c, newOldPaths(c), validator{c}}
	},
	oldPathFeatures | sessionFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			session
		}{c, newOldPaths(c), newSession(c)}
	},
	sessionFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			session
		}{c, newSession(c)}
	},
	Pinger: func(c *conn) driver.Conn {
		return struct {
			*conn
			pinger
		}{c, pinger{c}}
	},
	ConnPrepareContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			preparerCtx
		}{c, preparerCtx{c}}
	},
	ConnBeginTx: func(c *conn) driver.Conn {
		return struct {
			*conn
			txBeginner
		}{c, txBeginner{c}}
	},
	oldPathFeatures | ConnPrepareContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			preparerCtx
		}{c, newOldPaths(c), preparerCtx{c}}
	},
	oldPathFeatures | ConnBeginTx: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			txBeginner
		}{c, newOldPaths(c), txBeginner{c}}
	},
	oldPathFeatures | Pinger: func(c *conn) driver.Conn {
		return struct {
			*conn
			oldPaths
			pinger
		}{c, newOldPaths(c), pinger{c}}
	},
	ctxPathFeatures | sessionFeatures: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxPaths
			session
		}{c, newCtxPaths(c), newSession(c)}
	},
	ctxPathFeatures | sessionFeatures | ConnPrepareContext: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxPaths
			session
			preparerCtx
		}{c, newCtxPaths(c), newSession(c), preparerCtx{c}}
	},
	ctxPathFeatures | sessionFeatures | ConnBeginTx: func(c *conn) driver.Conn {
		return struct {
			*conn
			ctxPaths
			session
			txBeginner
		}{c, newCtxPaths(c), newSession(c), txBeginner{c}}
	},
}
