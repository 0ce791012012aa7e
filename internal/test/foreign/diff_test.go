package main

import (
	"slices"
	"testing"
)

func resultsOf(outcomes map[string]string) results {
	r := newResults()
	r.outcome = outcomes
	return r
}

func diffNames(bare, shim map[string]string) []string {
	var names []string
	for _, d := range diff(resultsOf(bare), resultsOf(shim)) {
		names = append(names, d.test)
	}
	return names
}

func TestDiffBlamesTheSubtestNotItsParents(t *testing.T) {
	got := diffNames(
		map[string]string{"A": "pass", "A/b": "pass", "A/b/c": "pass", "B": "fail"},
		map[string]string{"A": "fail", "A/b": "fail", "A/b/c": "fail", "B": "fail"})
	if want := []string{"A/b/c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDiffBlamesTheTestNotSubtestsThatItNeverReached(t *testing.T) {
	got := diffNames(
		map[string]string{"A": "pass", "A/b": "pass", "A/c": "pass"},
		map[string]string{"A": crashed})
	if want := []string{"A"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDiffSeesWhatRanOnOneSideOnly(t *testing.T) {
	got := diffNames(
		map[string]string{"A": "pass", "A/b": "pass", "B": "pass"},
		map[string]string{"A": "pass", "A/c": "pass"})
	if want := []string{"A/b", "A/c", "B"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnExpectationCoversSubtestsAndModes(t *testing.T) {
	list, err := parseExpected("# comment\n\ns * A why not\ns aio,other B/c because\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		suite, mode, test string
		want              bool
	}{
		{"s", "aio", "A", true},
		{"s", "registered", "A/sub", true},
		{"s", "aio", "AB", false},
		{"s", "aio", "B/c", true},
		{"s", "other", "B/c", true},
		{"s", "aio", "B", false},
		{"s", "registered", "B/c", false},
		{"other", "aio", "A", false},
	} {
		if got := explanation(list, c.suite, c.mode, c.test) != nil; got != c.want {
			t.Errorf("%s %s %s: explained %t, want %t", c.suite, c.mode, c.test, got, c.want)
		}
	}
	if why := list[0].why; why != "why not" {
		t.Errorf("explanation %q", why)
	}
}

func TestExpectationsWithoutExplanationAreRefused(t *testing.T) {
	if _, err := parseExpected("s * A"); err == nil {
		t.Error("no error")
	}
}

func TestExpectedFileIsValid(t *testing.T) {
	if _, err := parseExpected(expectedText); err != nil {
		t.Error(err)
	}
}
