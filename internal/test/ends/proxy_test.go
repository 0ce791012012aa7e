package ends

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// stalled opens an engine on the database, behind a proxy that keeps back the answer to
// a statement for a second.
func (d *database) stalled(t *testing.T, statement string) *overlay.Engine {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	over := make(chan struct{})
	t.Cleanup(func() {
		close(over)
		l.Close()
	})
	pass := func(to, from net.Conn, seen func([]byte)) {
		defer to.Close()
		for b := make([]byte, 1<<16); ; {
			n, err := from.Read(b)
			seen(b[:n])
			if _, werr := to.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	through := d.cfg.Clone()
	through.Net, through.Addr = "tcp", l.Addr().String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(d.cfg.Net, d.cfg.Addr)
			if err != nil {
				client.Close()
				continue
			}
			var asked atomic.Bool
			go pass(server, client, func(b []byte) { asked.CompareAndSwap(false, bytes.Contains(b, []byte(statement))) })
			go pass(client, server, func([]byte) {
				if asked.Swap(false) {
					select {
					case <-over:
					case <-time.After(time.Second):
					}
				}
			})
		}
	}()
	p, err := overlay.Open("mysql", through.FormatDSN())
	noError(t, err)
	t.Cleanup(func() { p.Shutdown(limit(t)) })
	return p
}
