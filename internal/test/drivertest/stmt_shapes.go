package drivertest

import "database/sql/driver"

// stmts are statements with every combination of optional interfaces.
var stmts = map[Features]func(*stmt) driver.Stmt{
	Minimal: func(s *stmt) driver.Stmt {
		return struct{ *stmt }{s}
	},
	StmtExecContext: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
		}{s, stmtExecer{s}}
	},
	StmtQueryContext: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtQueryer
		}{s, stmtQueryer{s}}
	},
	StmtExecContext | StmtQueryContext: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtQueryer
		}{s, stmtExecer{s}, stmtQueryer{s}}
	},
	StmtChecker: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtChecker
		}{s, stmtChecker{s}}
	},
	StmtExecContext | StmtChecker: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtChecker
		}{s, stmtExecer{s}, stmtChecker{s}}
	},
	StmtQueryContext | StmtChecker: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtQueryer
			stmtChecker
		}{s, stmtQueryer{s}, stmtChecker{s}}
	},
	StmtExecContext | StmtQueryContext | StmtChecker: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtQueryer
			stmtChecker
		}{s, stmtExecer{s}, stmtQueryer{s}, stmtChecker{s}}
	},
	ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtColumns
		}{s, stmtColumns{s}}
	},
	StmtExecContext | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtColumns
		}{s, stmtExecer{s}, stmtColumns{s}}
	},
	StmtQueryContext | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtQueryer
			stmtColumns
		}{s, stmtQueryer{s}, stmtColumns{s}}
	},
	StmtExecContext | StmtQueryContext | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtQueryer
			stmtColumns
		}{s, stmtExecer{s}, stmtQueryer{s}, stmtColumns{s}}
	},
	StmtChecker | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtChecker
			stmtColumns
		}{s, stmtChecker{s}, stmtColumns{s}}
	},
	StmtExecContext | StmtChecker | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtChecker
			stmtColumns
		}{s, stmtExecer{s}, stmtChecker{s}, stmtColumns{s}}
	},
	StmtQueryContext | StmtChecker | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtQueryer
			stmtChecker
			stmtColumns
		}{s, stmtQueryer{s}, stmtChecker{s}, stmtColumns{s}}
	},
	StmtExecContext | StmtQueryContext | StmtChecker | ColumnConverter: func(s *stmt) driver.Stmt {
		return struct {
			*stmt
			stmtExecer
			stmtQueryer
			stmtChecker
			stmtColumns
		}{s, stmtExecer{s}, stmtQueryer{s}, stmtChecker{s}, stmtColumns{s}}
	},
}
