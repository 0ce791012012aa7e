package drivertest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Script is what a query tells the driver to do. The words of a query, in any
// order; what follows "--" is a comment:
//
//	rows N          N rows of (id, name, data, score, flag, at, none)
//	sets SxN        S result sets of N rows; from the second on with columns (set, id)
//	nested          one row with a driver.Rows of two rows as a value
//	echo            a row (ordinal, name, type, value) for each argument
//	reuse           []byte values share a buffer that the next Next overwrites
//	size N          []byte values of N bytes
//	error at K      the K-th Next of the result fails with ErrRow
//	block at K      the K-th Next blocks
//	slow D          each Next, and Exec, takes the duration D
//	seterror K      going to the K-th result set fails with ErrSet
//	closeerror      Rows.Close fails with ErrClose
//	affected N      RowsAffected; 'affected error' makes it fail with ErrResult
//	id N            LastInsertId; 'id error' makes it fail with ErrResult
//	fail            fails with ErrScripted; 'fail N' with a CodeError
//	badconn         fails with driver.ErrBadConn
//	skip            Exec and Query of the connection, not of a statement, return driver.ErrSkip
//	interruptible   blocks
//	protected       an interrupt that hits it is a violation
//	noop            nothing
//	?               an argument, for NumInput
//
// What blocks or sleeps goes on after Driver.Release, and ends early with
// ErrInterrupted at an interrupt or with the error of its context.
// Next does as Query's context says.
type Script struct {
	query string

	result  string // "rows", "sets", "nested", "echo" or ""
	rows    int
	sets    int
	size    int
	reuse   bool
	errorAt int
	blockAt int
	slow    time.Duration

	setErrorAt int
	closeError bool

	affected, id       int64
	affectedErr, idErr bool

	fail          error
	badConn       bool
	skip          bool
	interruptible bool
	inputs        int
}

// parse reads a query.
func parse(query string) (Script, error) {
	s := Script{query: query, sets: 1, size: 4}
	text, _, _ := strings.Cut(query, "--")
	p := parser{words: strings.Fields(text)}
	for p.err == nil && len(p.words) > 0 {
		p.word(&s)
	}
	if p.err != nil {
		return s, fmt.Errorf("drivertest: query %q: %w", query, p.err)
	}
	return s, nil
}

type parser struct {
	words []string
	err   error
}

func (p *parser) next() string {
	if len(p.words) == 0 {
		p.err = fmt.Errorf("a word is missing at the end")
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *parser) peek(word string) bool {
	if len(p.words) > 0 && p.words[0] == word {
		p.next()
		return true
	}
	return false
}

func (p *parser) number() int {
	w := p.next()
	n, err := strconv.Atoi(w)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%q is not a number", w)
	}
	return n
}

func (p *parser) at() int {
	if !p.peek("at") {
		p.err = fmt.Errorf("'at' is missing")
		return 0
	}
	return p.number()
}

func (p *parser) word(s *Script) {
	switch w := p.next(); w {
	case "rows":
		s.result, s.rows = w, p.number()
	case "sets":
		s.result = w
		if _, err := fmt.Sscanf(p.next(), "%dx%d", &s.sets, &s.rows); err != nil {
			p.err = err
		}
	case "nested", "echo":
		s.result = w
	case "reuse":
		s.reuse = true
	case "size":
		s.size = p.number()
	case "error":
		s.errorAt = p.at()
	case "block":
		s.blockAt = p.at()
	case "slow":
		d, err := time.ParseDuration(p.next())
		s.slow, p.err = d, err
	case "seterror":
		s.setErrorAt = p.number()
	case "closeerror":
		s.closeError = true
	case "affected":
		if s.affectedErr = p.peek("error"); !s.affectedErr {
			s.affected = int64(p.number())
		}
	case "id":
		if s.idErr = p.peek("error"); !s.idErr {
			s.id = int64(p.number())
		}
	default:
		p.flag(s, w)
	}
}

func (p *parser) flag(s *Script, w string) {
	switch w {
	case "fail":
		s.fail = ErrScripted
		if len(p.words) > 0 {
			if n, err := strconv.Atoi(p.words[0]); err == nil {
				p.next()
				s.fail = &CodeError{n}
			}
		}
	case "badconn":
		s.badConn = true
	case "skip":
		s.skip = true
	case "interruptible":
		s.interruptible = true
	case "protected", "noop":
	case "?":
		s.inputs++
	default:
		p.err = fmt.Errorf("unknown word %q", w)
	}
}
