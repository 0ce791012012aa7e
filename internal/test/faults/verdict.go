package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

// verdict reads the answer of a transaction's function or of a batch in one:
// only ErrOutcomeUnknown leaves open whether it was made.
func verdict(err error) outcome {
	switch {
	case err == nil:
		return acknowledged
	case errors.Is(err, overlay.ErrOutcomeUnknown):
		return unknown
	}
	return refused
}

// verdictAlone reads the answer of a statement outside a transaction or of a
// sql.Tx's Commit. There a broken connection leaves it open, as with the bare
// driver.
func verdictAlone(err error) outcome {
	if err != nil && broken(err) {
		return unknown
	}
	return verdict(err)
}

// broken reports whether err is that of a connection that broke when it was in
// use. A failed dial and driver.ErrBadConn are not: both promise that nothing
// was sent.
func broken(err error) bool {
	var answer *mysql.MySQLError
	if errors.As(err, &answer) {
		return false
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op != "dial"
	}
	for _, target := range []error{
		mysql.ErrInvalidConn, mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrPktSyncMul,
		io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// ended reports whether err is that of a context.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// quietDrivers keeps the MySQL driver from logging the errors that are provoked.
func quietDrivers() {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0))
}
