package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

// errNoServer is why a scenario is skipped that needs MariaDB.
var errNoServer = errors.New("mariadbd is not installed; try scripts/install-test-deps")

// A server is a MariaDB server with data of its own, to be killed.
type server struct {
	dir  string
	port int
	cmd  *exec.Cmd     // nil while it is down
	gone chan struct{} // closed when cmd has ended
}

const (
	serverUser = "faults"
	serverDB   = "faults"
)

// newServer makes the data directory of a server in dir, which must exist.
func newServer(ctx context.Context, dir string) (*server, error) {
	for _, tool := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := find(tool); err != nil {
			return nil, errNoServer
		}
	}
	s := &server{dir: dir}
	program, _ := find("mariadb-install-db")
	install := exec.CommandContext(ctx, program, "--no-defaults", "--datadir="+s.path("data"), "--skip-name-resolve",
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-log-file-size=16M")
	uid, gid, err := asServer(install)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, lastLines(out, 20))
	}
	account := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s;\nCREATE USER IF NOT EXISTS '%s'@'127.0.0.1';\n"+
		"GRANT ALL PRIVILEGES ON *.* TO '%s'@'127.0.0.1' WITH GRANT OPTION;\n", serverDB, serverUser, serverUser)
	if err := os.WriteFile(s.path("init.sql"), []byte(account), 0o644); err != nil {
		return nil, err
	}
	s.port, err = freePort()
	return s, err
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) dsn() string {
	return fmt.Sprintf("%s@tcp(127.0.0.1:%d)/%s", serverUser, s.port, serverDB)
}

// find looks where Debian keeps servers, too.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	return path, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// start starts the server and waits until it answers.
func (s *server) start(ctx context.Context) error {
	program, err := find("mariadbd")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.path("server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, "--no-defaults", "--datadir="+s.path("data"), "--socket="+s.path("sock"),
		"--pid-file="+s.path("pid"), "--bind-address=127.0.0.1", "--port="+strconv.Itoa(s.port), "--skip-name-resolve",
		"--init-file="+s.path("init.sql"), "--character-set-server=utf8mb4", "--max-connections=300",
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=1",
		"--innodb-buffer-pool-dump-at-shutdown=OFF", "--innodb-buffer-pool-load-at-startup=OFF")
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd)
	if _, _, err := asServer(cmd); err != nil {
		return err
	}
	if err := spawn(cmd); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		cmd.Wait()
	}()
	s.cmd, s.gone = cmd, gone
	return s.ready(ctx)
}

// ready waits until the server answers.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	db, err := sql.Open("mysql", s.dsn())
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.gone:
			err = errors.New("it has ended")
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
			continue
		}
		text, _ := os.ReadFile(s.path("server.log"))
		return fmt.Errorf("mariadbd does not answer: %w\n%s", err, lastLines(text, 20))
	}
}

// kill ends the server as a crash would.
func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		<-s.gone
		s.cmd = nil
	}
}

// someServer returns the data source name of a new, empty database: on the server
// that the job names, or else on one of its own. drop removes it.
func someServer(ctx context.Context, j job) (dsn string, drop func(), err error) {
	dsn, drop = j.MariaDB, func() {}
	if dsn == "" {
		dir := filepath.Join(j.Dir, "mariadb")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", nil, err
		}
		s, err := newServer(ctx, dir)
		if err == nil {
			err = s.start(ctx)
		}
		if err != nil {
			return "", nil, err
		}
		dsn, drop = s.dsn(), s.kill
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		drop()
		return "", nil, errors.New("SQLAIO_MARIADB is no data source name")
	}
	stop := drop
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		stop()
		return "", nil, err
	}
	name := fmt.Sprintf("faults_%d_%d", os.Getpid(), time.Now().UnixNano()%1e6)
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		stop()
		return "", nil, err
	}
	cfg.DBName = name
	return cfg.FormatDSN(), func() {
		_, _ = db.ExecContext(context.Background(), "DROP DATABASE "+name)
		db.Close()
		stop()
	}, nil
}
