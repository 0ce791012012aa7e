package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// A program's own dialer is used as it is, and may use WrapConn.
func TestOwnDialer(t *testing.T) {
	for _, wrap := range []bool{false, true} {
		for _, way := range []string{"DialFunc", "RegisterDialContext"} {
			t.Run(fmt.Sprintf("%s, wrapped: %v", way, wrap), func(t *testing.T) {
				cfg := testConfig(t)
				network := cfg.Net
				called := 0
				dial := func(ctx context.Context, addr string) (net.Conn, error) {
					called++
					var d net.Dialer
					c, err := d.DialContext(ctx, network, addr)
					if err == nil && wrap {
						c = WrapConn(c)
					}
					return c, err
				}
				if way == "DialFunc" {
					cfg.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, addr) }
				} else {
					cfg.Net = fmt.Sprint("sqlaio", rand.Int32())
					mysql.RegisterDialContext(cfg.Net, dial)
					defer mysql.DeregisterDialContext(cfg.Net)
				}
				p := open(t, connector(t, cfg))
				if called != 1 {
					t.Errorf("called %d times", called)
				}
				if (p.i != nil) != wrap {
					t.Errorf("Interrupter: %v", p.i != nil)
				}
				if _, err := p.query("SELECT 1"); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The hooks of a Config keep working, for side connections too.
func TestBeforeConnect(t *testing.T) {
	cfg := testConfig(t)
	right := cfg.Passwd
	cfg.Passwd = "wrong"
	called := 0
	err := cfg.Apply(mysql.BeforeConnect(func(_ context.Context, c *mysql.Config) error {
		called++
		c.Passwd = right
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	open(t, connector(t, cfg)).stops(endless)
	if called < 2 {
		t.Errorf("called %d times", called)
	}
}

func TestUnixSocket(t *testing.T) {
	cfg := testConfig(t)
	path := must(open(t, connector(t, cfg)).query("SELECT @@socket"))(t)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Skip("the server's unix socket cannot be reached: ", err)
	}
	c.Close()
	cfg.Net, cfg.Addr = "unix", path
	p := open(t, connector(t, cfg))
	p.stops(endless)
}

func TestTLS(t *testing.T) {
	cfg := testConfig(t)
	if got := must(open(t, connector(t, cfg)).query("SELECT @@have_ssl"))(t); got != "YES" {
		t.Skip("the server offers no TLS")
	}
	cfg.TLSConfig = "skip-verify"
	p := open(t, connector(t, cfg))
	p.stops(endless)
	if _, err := p.query("SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestCompression(t *testing.T) {
	cfg := testConfig(t)
	if err := cfg.Apply(mysql.EnableCompression(true)); err != nil {
		t.Fatal(err)
	}
	p := open(t, connector(t, cfg))
	p.stops(endless)
}

// The driver's check for dead connections sees through the wrapper.
func TestDeadConnectionIsNoticed(t *testing.T) {
	c := connector(t, testConfig(t))
	p, other := open(t, c), open(t, c)
	if _, err := other.query("KILL CONNECTION " + p.i.session.id); err != nil {
		t.Fatal(err)
	}
	p.do(func() {
		for range 1000 {
			if err := p.inner.(driver.SessionResetter).ResetSession(context.Background()); err == driver.ErrBadConn {
				return
			}
		}
		t.Error("the dead connection passes for a living one")
	})
}

// Connections of other types are none of the adapter's business.
func TestForeignConn(t *testing.T) {
	type mysqlConn struct {
		driver.Conn
		rawConn net.Conn
	}
	for _, c := range []driver.Conn{nil, mysqlConn{}, &mysqlConn{}, (*mysqlConn)(nil), &mysqlConn{rawConn: &conn{}}} {
		if i := (adapter{}).Interrupter(c, nil); i != nil {
			t.Errorf("%T: %v", c, i)
		}
	}
}
