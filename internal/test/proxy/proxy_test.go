package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A client talks through a proxy to a server that repeats each line.
type client struct {
	*testing.T
	net.Conn
	r *bufio.Reader
}

// echo returns a proxy before such a server, and what dials it.
func echo(t *testing.T) (p *Proxy, dial func() *client) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	p, through := Before(t, &mysql.Config{Net: "tcp", Addr: l.Addr().String()})
	return p, func() *client {
		c, err := net.Dial(through.Net, through.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return &client{t, c, bufio.NewReader(c)}
	}
}

func (c *client) say(line string) { fmt.Fprintln(c, line) }

// hear fails the test unless the next line comes, or does not for a while if it is to be "".
func (c *client) hear(want string) {
	c.Helper()
	limit := 10 * time.Second
	if want == "" {
		limit = 30 * time.Millisecond
	}
	c.SetReadDeadline(time.Now().Add(limit))
	got, err := c.r.ReadString('\n')
	if strings.TrimSuffix(got, "\n") != want || want == "" && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.Errorf("heard %q, %v; want %q", got, err, want)
	}
}

// ends fails the test unless the connection ends with an error.
func (c *client) ends(want error) {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.r.ReadString('\n'); !errors.Is(err, want) {
		c.Errorf("ended with %v, want %v", err, want)
	}
}

// asks fails the test unless a line is answered.
func (c *client) asks(line string) {
	c.Helper()
	c.say(line)
	c.hear(line)
}

func TestWhatIsHeldBackComesLater(t *testing.T) {
	for name, hold := range map[string]func(*Conn){"Stall": (*Conn).Stall, "Mute": (*Conn).Mute} {
		t.Run(name, func(t *testing.T) {
			p, dial := echo(t)
			c := dial()
			c.asks("a")
			p.Every(hold)
			late := dial()
			for _, c := range []*client{c, late} {
				c.say("b")
				c.hear("")
			}
			p.Heal()
			dial().asks("c")
			c.hear("")
			p.Every((*Conn).Resume)
			c.hear("b")
			late.hear("b")
		})
	}
}

func TestEnds(t *testing.T) {
	p, dial := echo(t)
	c := dial()
	c.asks("a")
	p.Every((*Conn).Reset)
	c.ends(syscall.ECONNRESET)
	p.OnConnect((*Conn).Close)
	dial().ends(io.EOF)
	p.Heal()
	c = dial()
	c.asks("b")
	p.Every((*Conn).Stall)
	p.Cut()
	c.ends(io.EOF)
	dial().asks("c")
	if n := p.Opened.Load(); n != 4 {
		t.Errorf("%d connections opened, want 4", n)
	}
	if n := p.Most.Load(); n < 1 || n > 4 {
		t.Errorf("%d connections at a time", n)
	}
}

func TestARequestIsLost(t *testing.T) {
	p, dial := echo(t)
	c := dial()
	seen := p.At("COMMIT", func(*Conn) bool { return false })
	c.asks("a")
	select {
	case <-seen:
		t.Error("seen too early")
	default:
	}
	c.say("COMMIT")
	<-seen
	c.asks("b")
}

func TestTheAnswerToARequestIsLate(t *testing.T) {
	const late = 50 * time.Millisecond
	p, dial := echo(t)
	p.Delay("COMMIT", late)
	c := dial()
	c.asks("a")
	start := time.Now()
	c.asks("COMMIT")
	if took := time.Since(start); took < late {
		t.Errorf("answered after %v", took)
	}
}

func TestAnAnswerIsChanged(t *testing.T) {
	p, dial := echo(t)
	p.OnAnswer(func(n int, data []byte) []byte {
		if n == 2 {
			return []byte("changed\n")
		}
		return data
	})
	c := dial()
	c.asks("a")
	c.say("b")
	c.hear("changed")
	c.asks("c")
}
