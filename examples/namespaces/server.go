//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sqlaio/sqlaio/threadpin"
)

const (
	address = "127.0.0.1:3306" // in the namespace, where the port is free
	dsn     = "example:example@tcp(" + address + ")/example"
	setUp   = `
CREATE DATABASE example;
CREATE USER 'example'@'127.0.0.1' IDENTIFIED BY 'example';
GRANT ALL ON example.* TO 'example'@'127.0.0.1';
`
)

// server is a MariaDB with data and a namespace of its own.
type server struct {
	dir    string
	thread *threadpin.Worker // in the namespace; the server ends with it
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
}

// startServer returns when the server has been started; it may not answer yet.
func startServer(ctx context.Context, namespace string) (s *server, err error) {
	s = &server{ended: make(chan struct{})}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	as, err := account("mysql")
	if err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "namespaces"); err != nil {
		return nil, err
	}
	if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
		return nil, err
	}
	data, setUpFile := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "setup.sql")
	if err := os.WriteFile(setUpFile, []byte(setUp), 0o644); err != nil {
		return nil, err
	}
	install := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+data,
		"--skip-name-resolve", "--auth-root-authentication-method=normal", "--skip-test-db",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=16M")
	install.Dir, install.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: as}
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}

	s.thread, err = threadpin.Start(threadpin.WithOnStart(func() error { return enter(namespace) }))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("mariadbd", "--no-defaults", "--datadir="+data, "--init-file="+setUpFile,
		"--socket="+filepath.Join(s.dir, "sock"), "--pid-file="+filepath.Join(s.dir, "pid"),
		"--log-error="+filepath.Join(s.dir, "log"), "--bind-address=127.0.0.1", "--port=3306",
		"--skip-name-resolve", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=16M")
	// A child process starts in the namespace of the thread that starts it. This
	// one is killed when that thread ends, however this program does. A session of
	// its own keeps Ctrl-C from it.
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL, Setsid: true}
	if err := startOn(ctx, s.thread, cmd); err != nil {
		return nil, err
	}
	s.cmd = cmd
	go func() {
		cmd.Wait()
		close(s.ended)
	}()
	return s, s.answers(ctx, namespace)
}

func startOn(ctx context.Context, thread *threadpin.Worker, cmd *exec.Cmd) error {
	_, err := threadpin.Do(ctx, thread, func() (struct{}, error) { return struct{}{}, cmd.Start() })
	return err
}

// answers waits until the server's port is open.
func (s *server) answers(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		c, err := dialIn(namespace)(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.ended:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server did not start:\n%s", log)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// stop ends the server and removes all that it had.
func (s *server) stop() error {
	var err error
	if s.cmd != nil {
		err = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(20 * time.Second): // the end of its thread kills it
		}
	}
	if s.thread != nil {
		s.thread.Quit()
	}
	if s.cmd != nil {
		<-s.ended
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

func account(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}
