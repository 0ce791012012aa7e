package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An outcome is what became of a test: "pass", "fail" or "skip" as test2json
// has them, or one of these.
const (
	absent  = ""      // it did not run
	crashed = "crash" // the program ended while it ran
)

// results are the outcomes, the output and the seconds of tests, subtests included.
type results struct {
	outcome map[string]string
	output  map[string]string
	elapsed map[string]float64
}

func newResults() results {
	return results{map[string]string{}, map[string]string{}, map[string]float64{}}
}

// names lists the tests and subtests that ended with one of the outcomes.
func (r results) names(outcomes ...string) []string {
	var names []string
	for name, outcome := range r.outcome {
		if slices.Contains(outcomes, outcome) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// count tells how many there are, without and with subtests.
func (r results) count(outcomes ...string) (top, all int) {
	names := r.names(outcomes...)
	for _, name := range names {
		if name == topLevel(name) {
			top++
		}
	}
	return top, len(names)
}

func (r results) add(more results) {
	maps.Copy(r.outcome, more.outcome)
	maps.Copy(r.output, more.output)
	maps.Copy(r.elapsed, more.elapsed)
}

// forget drops what is known of a test and its subtests.
func (r results) forget(top string) {
	of := func(name, _ string) bool { return topLevel(name) == top }
	maps.DeleteFunc(r.outcome, of)
	maps.DeleteFunc(r.output, of)
}

// A program is a compiled test binary, with what it needs to run.
type program struct {
	file    string
	dir     string
	env     []string
	timeout time.Duration
}

// build compiles a program.
func build(ctx context.Context, p program, env, flags []string) error {
	args := append([]string{"test", "-c", "-vet=off", "-o", p.file}, flags...)
	if out, err := command(ctx, p.dir, env, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the tests: %w\n%s", err, out)
	}
	return nil
}

// list names the program's tests. Benchmarks do not run here.
func (p program) list(ctx context.Context) ([]string, error) {
	out, err := command(ctx, p.dir, p.env, p.file, "-test.list=.").Output()
	if err != nil {
		return nil, explain(err)
	}
	isTest := regexp.MustCompile(`^(Test|Fuzz|Example)`)
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return !isTest.MatchString(name) }), nil
}

// runAll runs every test. One that takes the whole program down, as a failed
// type assertion does, ends only itself: those that ran beside it run again one
// by one, and those that did not come to run do so without it.
func (p program) runAll(ctx context.Context) (results, error) {
	all := newResults()
	todo, err := p.list(ctx)
	if err != nil {
		return all, err
	}
	for len(todo) > 0 {
		r, down, err := p.run(ctx, todo...)
		if err != nil {
			return all, err
		}
		for _, name := range down {
			r.forget(name)
			alone, _, err := p.run(ctx, name)
			if err != nil {
				return all, err
			}
			r.add(alone)
		}
		left := slices.DeleteFunc(slices.Clone(todo), func(name string) bool { return r.outcome[name] != absent })
		if len(left) == len(todo) {
			return all, fmt.Errorf("the program ends before its tests begin: %s", r.output[""])
		}
		all.add(r)
		todo = left
	}
	return all, nil
}

// run runs the named top-level tests. If the program did not get to its end,
// down names those that it had begun and not finished, or failed.
func (p program) run(ctx context.Context, names ...string) (r results, down []string, err error) {
	r = newResults()
	timeout := p.timeout
	if len(names) == 1 {
		timeout = min(timeout, time.Minute)
	}
	cmd := command(ctx, p.dir, p.env, "go", "tool", "test2json", "-t", p.file,
		"-test.v=test2json",
		"-test.timeout="+timeout.String(),
		"-test.run=^("+strings.Join(names, "|")+")$")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return r, nil, err
	}
	if err := cmd.Start(); err != nil {
		return r, nil, err
	}
	unfinished, err := r.read(stdout)
	if err != nil {
		return r, nil, err
	}
	// The exit status tells nothing that the events do not.
	_ = cmd.Wait()
	if err := ctx.Err(); err != nil {
		return r, nil, err
	}
	for _, name := range unfinished {
		r.outcome[name] = crashed
	}
	if len(unfinished) > 0 || slices.ContainsFunc(names, func(name string) bool { return r.outcome[name] == absent }) {
		for _, name := range names {
			if r.outcome[name] == "fail" || r.outcome[name] == crashed {
				down = append(down, name)
			}
		}
	}
	return r, down, nil
}

// read collects the events of a test run and lists the tests that were running at its end.
func (r results) read(in io.Reader) (unfinished []string, err error) {
	running := map[string]bool{}
	for dec := json.NewDecoder(in); dec.More(); {
		var event struct {
			Action, Test, Output string
			Elapsed              float64
		}
		if err := dec.Decode(&event); err != nil {
			return nil, err
		}
		switch event.Action {
		case "run", "cont":
			running[event.Test] = true
		case "pause":
			delete(running, event.Test)
		case "output":
			r.output[event.Test] += event.Output
		case "pass", "fail", "skip":
			delete(running, event.Test)
			if event.Test != "" {
				r.outcome[event.Test] = event.Action
				r.elapsed[event.Test] = event.Elapsed
			}
		}
	}
	return slices.Sorted(maps.Keys(running)), nil
}
