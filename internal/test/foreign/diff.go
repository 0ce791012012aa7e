package main

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A difference is a test that came out otherwise through the shim.
type difference struct {
	test       string
	bare, shim string
}

func (d difference) String() string {
	name := func(outcome string) string {
		if outcome == absent {
			return "not run"
		}
		return outcome
	}
	return fmt.Sprintf("%s: %s bare, %s through the shim", d.test, name(d.bare), name(d.shim))
}

// diff lists the differences. Of a test and its subtests it names those that
// are to blame: not a parent that failed because a subtest did, nor subtests
// that are missing because their parent failed before them.
func diff(bare, shim results) []difference {
	names := map[string]bool{}
	for name := range bare.outcome {
		names[name] = true
	}
	for name := range shim.outcome {
		names[name] = true
	}
	differs := func(name string) bool { return bare.outcome[name] != shim.outcome[name] }

	var diffs []difference
	// Sorted backwards, subtests come before their parents.
	blamed := map[string]bool{}
	sorted := slices.Sorted(maps.Keys(names))
	slices.Reverse(sorted)
	for _, name := range sorted {
		if !differs(name) || blamed[name] {
			continue
		}
		missing := bare.outcome[name] == absent || shim.outcome[name] == absent
		if missing && slices.ContainsFunc(parents(name), differs) {
			continue
		}
		for _, parent := range parents(name) {
			blamed[parent] = true
		}
		diffs = append(diffs, difference{name, bare.outcome[name], shim.outcome[name]})
	}
	slices.Reverse(diffs)
	return diffs
}

// parents lists the tests that a subtest is part of.
func parents(name string) []string {
	var list []string
	for i, c := range name {
		if c == '/' {
			list = append(list, name[:i])
		}
	}
	return list
}

// topLevel is the test function that a test or subtest belongs to.
func topLevel(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}

//go:embed expected.txt
var expectedText string

// An expectation explains why a test comes out otherwise.
type expectation struct {
	suite, mode, test string
	why               string
	met               bool
}

// parseExpected reads lines of "suite mode test explanation".
func parseExpected(text string) ([]*expectation, error) {
	var list []*expectation
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("expected.txt: want suite, mode, test and explanation: %q", line)
		}
		list = append(list, &expectation{
			suite: fields[0], mode: fields[1], test: fields[2], why: strings.Join(fields[3:], " "),
		})
	}
	return list, nil
}

// explanation finds the expectation that covers a difference, or nil.
func explanation(list []*expectation, suite, mode, test string) *expectation {
	for _, e := range list {
		if e.suite == suite && (e.mode == "*" || slices.Contains(strings.Split(e.mode, ","), mode)) &&
			(e.test == test || strings.HasPrefix(test, e.test+"/")) {
			return e
		}
	}
	return nil
}
