package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A trial is a suite at work.
type trial struct {
	suite
	dir      string
	expected []*expectation
	environ  []string
	flags    []string
	repeated int // tests repeated so far
}

// When everything is broken, repeating it takes long and teaches nothing.
const repeatAtMost = 20

// run runs the suite bare and in every mode, and prints what it finds. It
// reports whether every difference is explained.
func (t *trial) run(ctx context.Context) (ok bool, err error) {
	if t.suite.environ != nil {
		if t.environ, err = t.suite.environ(ctx); err != nil {
			return false, err
		}
	}
	if *race {
		t.flags = append(t.flags, "-race")
	}
	if *tags != "" {
		t.flags = append(t.flags, "-tags="+*tags)
	}
	src, err := find(ctx, *root, t.suite)
	if err != nil {
		return false, err
	}
	shimDir := filepath.Join(t.dir, "shim")
	calls, err := shimCopy(src, t.suite, shimDir)
	if err != nil {
		return false, err
	}
	work, err := workspace(ctx, filepath.Join(t.dir, "go.work"), *root, shimDir)
	if err != nil {
		return false, err
	}

	fmt.Printf("%s %s: tests and, in brackets, subtests too; %d calls lead through the shim\n", t.name, src.Version, calls)
	fmt.Printf("%-14s %12s %12s %12s %8s\n", "", "pass", "fail", "skip", "seconds")
	bareProgram, err := t.buildBare(ctx, src)
	if err != nil {
		return false, err
	}
	bare, err := runAndCount(ctx, "bare", bareProgram)
	if err != nil {
		return false, err
	}
	if broken := bare.names("fail", crashed); len(broken) > 0 {
		fmt.Printf("  fail on this machine: %s\n", strings.Join(broken, " "))
	}
	ok = true
	for _, m := range t.modes() {
		shimProgram, err := t.buildShim(ctx, shimDir, m, work)
		if err != nil {
			return false, err
		}
		shim, err := runAndCount(ctx, m.name, shimProgram)
		if err != nil {
			return false, err
		}
		for _, d := range diff(bare, shim) {
			good, err := t.judge(ctx, m, d, bareProgram, shim.output[d.test])
			if err != nil {
				return false, err
			}
			ok = ok && good
		}
		printSlower(bare, shim)
	}
	for _, e := range t.expected {
		if e.suite == t.name && !e.met {
			fmt.Printf("expected.txt: %s %s came out alike this time\n", e.mode, e.test)
		}
	}
	fmt.Println()
	return ok, nil
}

func (t *trial) buildBare(ctx context.Context, src source) (program, error) {
	p := t.program("bare", "bare", nil)
	if err := bareCopy(src, p.dir); err != nil {
		return p, err
	}
	return p, build(ctx, p, []string{"GOWORK=off"}, t.flags)
}

func (t *trial) buildShim(ctx context.Context, dir string, m mode, work []string) (program, error) {
	p := t.program("shim", m.name, []string{"SQLAIO_FOREIGN=" + m.how})
	if err := useShim(dir, t.suite, m.adapter); err != nil {
		return p, err
	}
	return p, build(ctx, p, work, t.flags)
}

func (t *trial) program(dir, variant string, env []string) program {
	return program{
		file:    filepath.Join(t.dir, variant+".test"),
		dir:     filepath.Join(t.dir, dir),
		env:     slices.Concat(env, t.environ),
		timeout: *timeout,
	}
}

// runAndCount runs a program and prints its line of the table.
func runAndCount(ctx context.Context, variant string, p program) (results, error) {
	start := time.Now()
	r, err := p.runAll(ctx)
	if err != nil {
		return r, err
	}
	cell := func(outcomes ...string) string {
		top, all := r.count(outcomes...)
		return fmt.Sprintf("%d (%d)", top, all)
	}
	fmt.Printf("%-14s %12s %12s %12s %8.1f\n", variant,
		cell("pass"), cell("fail", crashed), cell("skip"), time.Since(start).Seconds())
	return r, nil
}

// printSlower names the tests that take much longer through the shim. That is a
// hint and no more: the machine may have been busy.
func printSlower(bare, shim results) {
	for _, name := range shim.names("pass") {
		b, s := bare.elapsed[name], shim.elapsed[name]
		if name == topLevel(name) && bare.outcome[name] == "pass" && s > 1+3*b {
			fmt.Printf("  %s: %.1f s bare, %.1f s through the shim\n", name, b, s)
		}
	}
}

// judge reports a difference. One without an explanation passes only if the
// bare suite, repeated, comes out like that too.
func (t *trial) judge(ctx context.Context, m mode, d difference, bare program, output string) (ok bool, err error) {
	fmt.Printf("  %v\n", d)
	switch e := explanation(t.expected, t.name, m.name, d.test); {
	case e != nil:
		e.met, ok = true, true
		fmt.Printf("      expected: %s\n", e.why)
	case t.repeated == repeatAtMost:
		fmt.Println("      UNEXPLAINED")
	default:
		t.repeated++
		if ok, err = happens(ctx, bare, d); err != nil {
			return false, err
		}
		if ok {
			fmt.Println("      unsteady: it comes out so bare as well")
		} else {
			fmt.Printf("      UNEXPLAINED: bare it did not come out so in %d repetitions\n", *rounds)
		}
	}
	if *verbose || !ok {
		fmt.Print(head(output))
	}
	return ok, nil
}

// happens tells whether a test, repeated, ever comes out as it did through the shim.
func happens(ctx context.Context, p program, d difference) (bool, error) {
	for range *rounds {
		r, _, err := p.run(ctx, topLevel(d.test))
		if err != nil || r.outcome[d.test] == d.shim {
			return err == nil, err
		}
	}
	return false, nil
}

// head is the beginning of a test's output, indented: the messages, and of a
// panic its value and the frames nearest to it.
func head(output string) string {
	const most = 20
	var b strings.Builder
	n := 0
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "=== ") {
			continue
		}
		if n++; n > most {
			break
		}
		b.WriteString("        | " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
