package drivertest

import "database/sql/driver"

// rowSets are rows with all, none, one, and all but one of the optional
// interfaces.
var rowSets = map[Features]func(*rows) driver.Rows{
	Minimal: func(r *rows) driver.Rows {
		return struct{ *rows }{r}
	},
	NextResultSet: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
		}{r, setter{r}}
	},
	ColumnTypes: func(r *rows) driver.Rows {
		return struct {
			*rows
			columnTyper
		}{r, newColumnTyper(r)}
	},
	NextResultSet | ColumnTypes: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
			columnTyper
		}{r, setter{r}, newColumnTyper(r)}
	},
	ScanType: func(r *rows) driver.Rows {
		return struct {
			*rows
			scanTyper
		}{r, scanTyper{r}}
	},
	DatabaseTypeName: func(r *rows) driver.Rows {
		return struct {
			*rows
			dbTyper
		}{r, dbTyper{r}}
	},
	Length: func(r *rows) driver.Rows {
		return struct {
			*rows
			lengther
		}{r, lengther{r}}
	},
	Nullable: func(r *rows) driver.Rows {
		return struct {
			*rows
			nullabler
		}{r, nullabler{r}}
	},
	PrecisionScale: func(r *rows) driver.Rows {
		return struct {
			*rows
			sizer
		}{r, sizer{r}}
	},
	NextResultSet | DatabaseTypeName | Length | Nullable | PrecisionScale: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
			dbTyper
			lengther
			nullabler
			sizer
		}{r, setter{r}, dbTyper{r}, lengther{r}, nullabler{r}, sizer{r}}
	},
	NextResultSet | ScanType | Length | Nullable | PrecisionScale: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
			scanTyper
			lengther
			nullabler
			sizer
		}{r, setter{r}, scanTyper{r}, lengther{r}, nullabler{r}, sizer{r}}
	},
	NextResultSet | ScanType | DatabaseTypeName | Nullable | PrecisionScale: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
			scanTyper
			dbTyper
			nullabler
			sizer
		}{r, setter{r}, scanTyper{r}, dbTyper{r}, nullabler{r}, sizer{r}}
	},
	NextResultSet | ScanType | DatabaseTypeName | Length | PrecisionScale: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
			scanTyper
			dbTyper
			lengther
			sizer
		}{r, setter{r}, scanTyper{r}, dbTyper{r}, lengther{r}, sizer{r}}
	},
	NextResultSet | ScanType | DatabaseTypeName | Length | Nullable: func(r *rows) driver.Rows {
		return struct {
			*rows
			setter
			scanTyper
			dbTyper
			lengther
			nullabler
		}{r, setter{r}, scanTyper{r}, dbTyper{r}, lengther{r}, nullabler{r}}
	},
}
