package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

// When there is no side connection the call is ended by hanging up, and nothing
// is left of the attempt.
func TestNoSideConnection(t *testing.T) {
	tooMany := []byte("\x17\x00\x00\x00\xff\x10\x04Too many connections")
	for name, fail := range map[string]func(p *proxy.Proxy){
		"refused":              func(p *proxy.Proxy) { p.OnConnect((*proxy.Conn).Close) },
		"no answer":            func(p *proxy.Proxy) { p.OnConnect((*proxy.Conn).Stall) },
		"too many connections": func(p *proxy.Proxy) { p.OnAnswer(func(int, []byte) []byte { return tooMany }) },
	} {
		t.Run(name, func(t *testing.T) {
			front, through := proxy.Before(t, testConfig(t))
			p := open(t, connector(t, through))
			end, before := p.startRunning("SELECT SLEEP(30)"), descriptors(t)
			fail(front)
			took, err := p.interrupt(end)
			if !p.i.Lost(err) || p.i.Interrupted(err) || took > sideTimeout+5*time.Second {
				t.Errorf("%v after %v", err, took)
			}
			front.Close() // closes the proxy's ends too
			if after := descriptors(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

// newAccount returns a configuration with an account of its own, and an
// administrator's connection. limits are those of its CREATE USER.
func newAccount(t *testing.T, limits string) (cfg *mysql.Config, admin *pinnedConn) {
	t.Helper()
	cfg = testConfig(t)
	admin = open(t, connector(t, cfg))
	host, _, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		t.Skip("the server is not on TCP: ", err)
	}
	cfg.User, cfg.Passwd, cfg.DBName = fmt.Sprintf("sqlaio_%d", rand.Int32()), "secret", ""
	account := fmt.Sprintf("'%s'@'%s'", cfg.User, host)
	if _, err := admin.query("CREATE USER " + account + " IDENTIFIED BY 'secret' " + limits); err != nil {
		t.Skip("no account can be created: ", err)
	}
	t.Cleanup(func() { must(open(t, connector(t, testConfig(t))).query("DROP USER " + account))(t) })
	return cfg, admin
}

// An account may have no connection left for a KILL.
func TestAccountWithOneConnection(t *testing.T) {
	cfg, admin := newAccount(t, "WITH MAX_USER_CONNECTIONS 1")
	p := open(t, connector(t, cfg))
	took, err := p.interrupt(p.startRunning("SELECT SLEEP(30)"))
	if !p.i.Lost(err) || took > sideTimeout+5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	must(admin.query("KILL CONNECTION " + p.i.session.id))(t)
}

// An account without privileges may stop its own statements.
func TestAccountWithoutPrivileges(t *testing.T) {
	cfg, _ := newAccount(t, "")
	p := open(t, connector(t, cfg))
	p.stops("SELECT BENCHMARK(10000000000, MD5(1)) FROM information_schema.TABLES a, information_schema.TABLES b")
	// The idle session is told from one that runs something.
	s := openSide(context.Background(), p.i.connector)
	if s == nil {
		t.Fatal("no side connection")
	}
	defer s.close()
	if got := s.look(context.Background(), p.i.session.id); got != idle {
		t.Errorf("an idle session: %v", got)
	}
}

// A dialer that does not mind its context is not waited for, and what it dials in the
// end is closed.
func TestStubbornDialer(t *testing.T) {
	cfg := testConfig(t)
	network := cfg.Net
	release := make(chan struct{})
	first := true
	closed := make(chan struct{})
	cfg.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) {
		var d net.Dialer
		if first {
			first = false
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return WrapConn(c), nil
		}
		<-release
		c, err := d.DialContext(context.Background(), network, addr)
		return &watchedConn{c, closed}, err
	}
	p := open(t, connector(t, cfg))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.i.Interrupt(ctx)
	}()
	cancel()
	<-done
	if p.i.isHungUp() {
		t.Error("hung up")
	}
	end := p.startRunning("SELECT SLEEP(30)")
	took, err := p.interrupt(end)
	if !p.i.Lost(err) || took > sideTimeout+5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	close(release)
	<-closed
}

// watchedConn tells when it is closed.
type watchedConn struct {
	net.Conn
	closed chan struct{}
}

func (c *watchedConn) Close() error {
	select {
	case c.closed <- struct{}{}:
	default:
	}
	return c.Conn.Close()
}

// A session that no longer exists cannot be killed; that is no reason to wait.
func TestKillOfNobody(t *testing.T) {
	c := connector(t, testConfig(t))
	s := openSide(context.Background(), c)
	if s == nil {
		t.Fatal("no side connection")
	}
	defer s.close()
	if got := s.kill(context.Background(), "4294967295"); got != unsent {
		t.Errorf("%v", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := s.kill(ctx, "4294967295"); got != unsent {
		t.Errorf("%v", got)
	}
	if got := s.look(context.Background(), "4294967295"); got != busy {
		t.Errorf("%v", got)
	}
}

func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd")
	}
	return len(entries)
}
