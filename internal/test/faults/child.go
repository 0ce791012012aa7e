package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	roleEnv = "SQLAIO_FAULTS_ROLE" // what a child is for: "writer", or a scenario's name
	jobEnv  = "SQLAIO_FAULTS_JOB"  // its job, as JSON
)

// A job is what a child is told to do.
type job struct {
	Seed    uint64
	Short   bool
	Ways    string // a regular expression
	MariaDB string // a data source name, or empty
	Dir     string // its own, removed by the parent
	Life    int64  // of a writer: how many came before it
}

// inChild reports whether this process was started by start.
func inChild() bool { return os.Getenv(roleEnv) != "" }

// childMain does a child's job and returns its exit code.
func childMain() int {
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole group; the parent ends its children itself
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(jobEnv)), &j); err != nil {
		fmt.Fprintln(os.Stderr, "faults: job:", err)
		return 2
	}
	role := os.Getenv(roleEnv)
	// Not for grandchildren: they get their own.
	os.Unsetenv(roleEnv)
	os.Unsetenv(jobEnv)
	out := os.NewFile(3, "to the parent")
	syscall.CloseOnExec(3)
	quietDrivers()
	if role == "writer" {
		return writerMain(j, out)
	}
	chosen, err := choose(role)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return 2
	}
	r := &report{Scenario: role}
	if err := chosen[0].run(context.Background(), j, r); err != nil {
		r.fail(err)
	}
	if err := json.NewEncoder(out).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "faults: report:", err)
		return 2
	}
	return 0
}

// A child is a process that runs this program again. It dies with its parent.
type child struct {
	cmd *exec.Cmd
	out *os.File // what it writes to its descriptor 3; ends with it
}

// newChild prepares a child.
func newChild(role string, j job) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role, jobEnv+"="+string(text), "AIOWARNINGS=ignore")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	dieWithParent(cmd)
	return &child{cmd: cmd}, nil
}

// start starts it. The caller reads c.out to its end and then calls c.cmd.Wait.
func (c *child) start() error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	c.out, c.cmd.ExtraFiles = out, []*os.File{in}
	err = spawn(c.cmd)
	in.Close()
	if err != nil {
		out.Close()
	}
	return err
}

// spawner starts processes on one thread that lasts as long as this process: the
// kernel sends a child its parent's death signal when the thread that made it
// ends, and threads of this process do end.
var spawner = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

// spawn is cmd.Start on the spawner's thread.
func spawn(cmd *exec.Cmd) error {
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}

// inProcess runs a scenario in a child and returns its report.
func (s scenario) inProcess(ctx context.Context, j job) *report {
	r := &report{Scenario: s.name}
	if err := ctx.Err(); err != nil {
		r.fail(fmt.Errorf("not run: %w", err))
		return r
	}
	dir, err := os.MkdirTemp("", "sqlaio-faults-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755) // the server may run as another user
	}
	if err != nil {
		r.fail(err)
		return r
	}
	j.Dir = dir
	c, err := newChild(s.name, j)
	if err != nil {
		r.fail(err)
		return r
	}
	if s.setUp != nil {
		s.setUp(c)
	}
	if err := c.start(); err != nil {
		if s.setUp != nil && errors.Is(err, syscall.EPERM) {
			r.Skipped = fmt.Sprint("no right to a mount of its own: ", err)
		} else {
			r.fail(err)
		}
		return r
	}
	text, late := c.wait(ctx, s.limit)
	if err := json.Unmarshal(bytes.TrimSpace(text), r); err != nil {
		r.fail(fmt.Errorf("%s without a report (%s)", s.name, c.cmd.ProcessState))
	}
	if late {
		r.Hung++
		r.notef("not over after %v; its goroutines are above", s.limit)
	}
	return r
}

// wait returns what the child wrote. After limit, or when ctx ends, it makes the
// child print its goroutines and kills it.
func (c *child) wait(ctx context.Context, limit time.Duration) (text []byte, late bool) {
	read := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(c.out)
		read <- text
	}()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case text = <-read:
	case <-ctx.Done():
		late = true
		c.cmd.Process.Signal(syscall.SIGQUIT) // the Go runtime prints all goroutines and exits
		select {
		case text = <-read:
		case <-time.After(10 * time.Second):
		}
		c.cmd.Process.Kill()
		if text == nil {
			text = <-read
		}
	}
	c.cmd.Wait()
	c.out.Close()
	return text, late
}

// lastLines returns the end of a text, for errors of other programs.
func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
