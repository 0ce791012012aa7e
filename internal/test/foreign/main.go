package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var errNeedsServer = errors.New("needs a server")

var (
	only      = flag.String("suite", "", "run this suite alone")
	root      = flag.String("root", "", "the shim's module `directory` (default: the one around the current directory)")
	timeout   = flag.Duration("timeout", 5*time.Minute, "limit for one pass over a suite")
	rounds    = flag.Int("rounds", 10, "repeat a test with an unexplained difference this often, to see whether it is unsteady when bare")
	race      = flag.Bool("race", false, "use the race detector")
	tags      = flag.String("tags", "", "build `tags`")
	verbose   = flag.Bool("v", false, "print the output of tests that come out otherwise")
	keepFiles = flag.Bool("keep", false, "keep the temporary directory")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "foreign:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// run runs the suites and reports whether every difference is explained.
func run(ctx context.Context) (ok bool, err error) {
	expected, err := parseExpected(expectedText)
	if err != nil {
		return false, err
	}
	if *root == "" {
		if *root, err = moduleRoot(ctx); err != nil {
			return false, err
		}
	}
	tmp, err := workDir()
	if err != nil {
		return false, err
	}
	if *keepFiles {
		fmt.Println("files in", tmp)
	} else {
		defer os.RemoveAll(tmp)
	}

	ok = true
	for _, s := range suites {
		if *only != "" && *only != s.name {
			continue
		}
		t := trial{suite: s, dir: filepath.Join(tmp, s.name), expected: expected}
		good, err := t.run(ctx)
		switch {
		case errors.Is(err, errNeedsServer):
			fmt.Printf("%s: left out, it %v\n\n", s.name, err)
		case err != nil:
			return false, fmt.Errorf("%s: %w", s.name, err)
		default:
			ok = ok && good
		}
	}
	return ok, nil
}

// workDir makes a temporary directory, each time the same if it can: SQLite's
// build names its directory to the C compiler, and one of another name misses
// the build cache, which costs a minute a variant.
func workDir() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("sqlaio-foreign-%d", os.Getuid()))
	if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Hour {
		_ = os.RemoveAll(dir) // left behind by a run that was killed
	}
	if err := os.Mkdir(dir, 0o700); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "sqlaio-foreign-")
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	return strings.TrimSpace(string(out)), explain(err)
}
