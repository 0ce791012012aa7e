//go:build linux

package main

import (
	"context"
	"net"
	"os"
	"syscall"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/driver/mysql"
	"github.com/sqlaio/sqlaio/threadpin"
)

// enter moves the calling thread into a namespace made by `ip netns add`. Only move a
// thread that nothing else will use, such as a worker's, which ends with the worker.
func enter(namespace string) error {
	f, err := os.Open("/var/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, errno := syscall.RawSyscall(sysSetns, f.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return os.NewSyscallError("setns", errno)
	}
	return nil
}

// in makes the threads of connections enter a namespace before they connect.
func in(namespace string) aio.Option {
	return aio.WithThread(
		threadpin.WithName(namespace),
		threadpin.WithOnStart(func() error { return enter(namespace) }))
}

// dialIn dials from a namespace, on whatever thread it is called.
func dialIn(namespace string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		w, err := threadpin.Start(threadpin.WithOnStart(func() error { return enter(namespace) }))
		if err != nil {
			return nil, err
		}
		defer w.Quit()
		var c net.Conn
		gone := w.Run(ctx, func() {
			var d net.Dialer
			c, err = d.DialContext(ctx, network, addr) // on this thread: addr is an IP address
		})
		if gone != nil {
			return nil, gone
		}
		if err != nil {
			return nil, err
		}
		return mysql.WrapConn(c), nil
	}
}

// networkOf returns the namespace of the calling thread.
func networkOf() string {
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return err.Error()
	}
	return name
}
