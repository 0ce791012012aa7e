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

// server is a MariaDB server with its own data directory, in a namespace.
type server struct {
	dir    string
	thread *threadpin.Worker // in the namespace; the server dies with it
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
}

// startServer returns once the server answers.
func startServer(ctx context.Context, namespace string) (*server, error) {
	s := new(server)
	err := s.start(ctx, namespace)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) start(ctx context.Context, namespace string) error {
	as, err := account("mysql")
	if err != nil {
		return err
	}
	if err := s.install(ctx, as); err != nil {
		return err
	}
	s.thread, err = threadpin.Start(threadpin.WithOnStart(func() error { return enter(namespace) }))
	if err != nil {
		return err
	}
	if err := s.launch(as); err != nil {
		return err
	}
	return s.answers(ctx, namespace)
}

// install makes the server's directory and its system tables.
func (s *server) install(ctx context.Context, as *syscall.Credential) (err error) {
	if s.dir, err = os.MkdirTemp("", "namespaces"); err != nil {
		return err
	}
	if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
		return err
	}
	if err := os.WriteFile(s.file("setup.sql"), []byte(setUp), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+s.file("data"),
		"--skip-name-resolve", "--auth-root-authentication-method=normal", "--skip-test-db",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=16M")
	// This is a script: its own process group lets ctx end all of it.
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: as, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

// launch starts the server from the thread, because a child process inherits the
// namespace of the thread that starts it. Pdeathsig kills the server when that thread
// ends, however this program ends. Its own session shields it from Ctrl-C.
func (s *server) launch(as *syscall.Credential) error {
	cmd := exec.Command("mariadbd", "--no-defaults", "--datadir="+s.file("data"), "--init-file="+s.file("setup.sql"),
		"--socket="+s.file("sock"), "--pid-file="+s.file("pid"), "--log-error="+s.file("log"),
		"--bind-address=127.0.0.1", "--port=3306",
		"--skip-name-resolve", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=16M")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL, Setsid: true}
	var err error
	if gone := s.thread.Run(context.Background(), func() { err = cmd.Start() }); gone != nil {
		return gone
	}
	if err != nil {
		return err
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func() {
		cmd.Wait()
		close(s.ended)
	}()
	return nil
}

func (s *server) file(name string) string { return filepath.Join(s.dir, name) }

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
			log, _ := os.ReadFile(s.file("log"))
			return fmt.Errorf("the server did not start:\n%s", log)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// stop ends the server and removes its files.
func (s *server) stop() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-s.ended:
		case <-time.After(20 * time.Second): // the end of the thread will kill it
		}
	}
	if s.thread != nil {
		s.thread.Quit()
	}
	if s.cmd != nil {
		<-s.ended
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
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
