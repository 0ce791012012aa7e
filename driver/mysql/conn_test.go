package mysql

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// each runs a test with a pair of connected sockets: ours, from this package's
// dialer, before and after useThread, over TCP and over a unix socket.
func each(t *testing.T, test func(t *testing.T, ours *conn, peer net.Conn)) {
	for _, network := range []string{"tcp", "unix"} {
		for _, thread := range []bool{false, true} {
			name := network + " as it is"
			if thread {
				name = network + " on its thread"
			}
			t.Run(name, func(t *testing.T) {
				ours, peer := pair(t, network)
				if thread {
					ours.useThread()
				}
				test(t, ours, peer)
			})
		}
	}
}

func pair(t testing.TB, network string) (ours *conn, peer net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	c, err := dialer(network)(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if peer = <-accepted; peer == nil {
		t.Fatal("not accepted")
	}
	t.Cleanup(func() {
		c.Close()
		peer.Close()
	})
	return c.(*conn), peer
}

// must fails the test if the call did.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestReadWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		sent := make([]byte, 1<<20)
		_, _ = rand.Read(sent)
		go func() {
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 77777)
				if _, err := peer.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			peer.Close()
		}()
		got := must(io.ReadAll(ours))(t)
		if !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
		}
		if n, err := ours.Read(make([]byte, 9)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
	})
}

// A Read that starts before there is anything waits for it: shorter and longer
// than it waits in the kernel.
func TestReadWaits(t *testing.T) {
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		b := make([]byte, 9)
		for _, pause := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond} {
			go func() {
				time.Sleep(pause)
				_, _ = peer.Write([]byte("row"))
			}()
			if n, err := ours.Read(b); string(b[:n]) != "row" || err != nil {
				t.Fatalf("after %v: %q, %v", pause, b[:n], err)
			}
		}
		if n, err := ours.Read(nil); n != 0 || err != nil {
			t.Errorf("into nothing: %d, %v", n, err)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		b := make([]byte, 9)
		for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, 30 * time.Millisecond} {
			for name, set := range map[string]func(time.Time) error{"SetReadDeadline": ours.SetReadDeadline, "SetDeadline": ours.SetDeadline} {
				start := time.Now()
				if err := set(start.Add(d)); err != nil {
					t.Fatal(err)
				}
				_, err := ours.Read(b)
				took := time.Since(start)
				var ne net.Error
				if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
					t.Errorf("%s in %v: %v", name, d, err)
				}
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "read" {
					t.Errorf("%s: %#v is not a read's error", name, err)
				}
				if took < d || took > max(d, 0)+time.Second {
					t.Errorf("%s in %v passed after %v", name, d, took)
				}
			}
		}
		// Without a deadline the connection works again.
		if err := ours.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(10 * time.Millisecond)
			_, _ = peer.Write([]byte("row"))
		}()
		if n, err := ours.Read(b); string(b[:n]) != "row" || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
	})
}

// A deadline that another goroutine sets ends a Read that is waiting.
func TestDeadlineEndsWaitingRead(t *testing.T) {
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		for _, pause := range []time.Duration{time.Millisecond, 20 * time.Millisecond} {
			_ = ours.SetReadDeadline(time.Time{})
			done := make(chan error, 1)
			go func() {
				_, err := ours.Read(make([]byte, 9))
				done <- err
			}()
			time.Sleep(pause)
			start := time.Now()
			_ = ours.SetReadDeadline(time.Now())
			if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		}
	})
}

func TestCloseEndsWaitingRead(t *testing.T) {
	for _, pause := range []time.Duration{0, 500 * time.Microsecond, 2 * time.Millisecond, 20 * time.Millisecond} {
		each(t, func(t *testing.T, ours *conn, peer net.Conn) {
			done := make(chan error, 1)
			go func() {
				_, err := ours.Read(make([]byte, 9))
				done <- err
			}()
			time.Sleep(pause)
			start := time.Now()
			if err := ours.Close(); err != nil {
				t.Error("Close:", err)
			}
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read: %v", err)
			}
			if took := time.Since(start); took > 500*time.Millisecond {
				t.Errorf("took %v", took)
			}
			if err := ours.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closing twice: %v", err)
			}
			if _, err := ours.Read(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read after Close: %v", err)
			}
			if n, err := peer.Read(make([]byte, 9)); err == nil {
				t.Errorf("the peer read %d bytes", n)
			}
		})
	}
}

func TestReset(t *testing.T) {
	for _, thread := range []bool{false, true} {
		ours, peer := pair(t, "tcp")
		if thread {
			ours.useThread()
		}
		_ = peer.(*net.TCPConn).SetLinger(0)
		peer.Close()
		_, err := ours.Read(make([]byte, 9))
		var op *net.OpError
		if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" {
			t.Errorf("thread %v: %v", thread, err)
		}
	}
}

// The driver looks at idle connections through SyscallConn.
func TestSyscallConn(t *testing.T) {
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		raw := must(ours.SyscallConn())(t)
		called := false
		if err := raw.Control(func(uintptr) { called = true }); err != nil || !called {
			t.Errorf("%v, called %v", err, called)
		}
	})
}

func TestTLSOnTop(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"db"}}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	roots := x509.NewCertPool()
	roots.AddCert(must(x509.ParseCertificate(der))(t))
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		server := tls.Server(peer, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		go func() { _, _ = io.Copy(server, server) }()
		client := tls.Client(ours, &tls.Config{RootCAs: roots, ServerName: "db"})
		for _, n := range []int{1, 100, 100_000} {
			sent := bytes.Repeat([]byte{'x'}, n)
			go func() { _, _ = client.Write(sent) }()
			got := make([]byte, n)
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	})
}

// While a Read waits, other goroutines and the collector go on, even if it has
// all processors.
func TestReadLeavesProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ours, peer := pair(t, "tcp")
	ours.useThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for b := make([]byte, 9); ; {
			if _, err := ours.Read(b); err != nil {
				return
			}
		}
	}()
	start := time.Now()
	for range 20 {
		runtime.GC()
		_, _ = peer.Write([]byte("row"))
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("20 rounds took %v", took)
	}
	ours.Close()
	<-done
}

func TestConcurrentReads(t *testing.T) {
	each(t, func(t *testing.T, ours *conn, peer net.Conn) {
		var wg sync.WaitGroup
		got := make(chan byte, 1000)
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				b := make([]byte, 3)
				for {
					n, err := ours.Read(b)
					for _, x := range b[:n] {
						got <- x
					}
					if err != nil {
						return
					}
				}
			}()
		}
		sent := 0
		for i := range byte(200) {
			_, _ = peer.Write([]byte{i})
			sent += int(i)
		}
		peer.Close()
		wg.Wait()
		close(got)
		sum := 0
		for x := range got {
			sum += int(x)
		}
		if sum != sent {
			t.Errorf("the bytes add up to %d, want %d", sum, sent)
		}
	})
}

func TestWrapConnLeavesOthersAlone(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for _, c := range []net.Conn{a, nil, (*net.TCPConn)(nil), (*net.UnixConn)(nil)} {
		if got := WrapConn(c); got != c {
			t.Errorf("%T became %T", c, got)
		}
	}
}

func TestNoDescriptorLeak(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc/self/fd")
		}
		return len(entries)
	}
	before := count()
	for range 50 {
		ours, peer := pair(t, "tcp")
		ours.useThread()
		_, _ = peer.Write([]byte("x"))
		_, _ = ours.Read(make([]byte, 9))
		ours.Close()
		peer.Close()
	}
	if after := count(); after > before+5 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
