package main

import (
	"slices"
	"strings"
	"testing"
)

func TestReadTellsFinishedPausedAndInterruptedTestsApart(t *testing.T) {
	const events = `
{"Action":"start"}
{"Action":"run","Test":"Done"}
{"Action":"output","Test":"Done","Output":"one\n"}
{"Action":"output","Test":"Done","Output":"two\n"}
{"Action":"pass","Test":"Done"}
{"Action":"run","Test":"Paused"}
{"Action":"pause","Test":"Paused"}
{"Action":"run","Test":"Interrupted"}
{"Action":"pause","Test":"Interrupted"}
{"Action":"cont","Test":"Interrupted"}
{"Action":"fail"}
`
	r := newResults()
	unfinished, err := r.read(strings.NewReader(events))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Interrupted"}; !slices.Equal(unfinished, want) {
		t.Errorf("unfinished %q, want %q", unfinished, want)
	}
	if r.outcome["Done"] != "pass" || r.outcome["Paused"] != absent {
		t.Errorf("outcomes %v", r.outcome)
	}
	if r.output["Done"] != "one\ntwo\n" {
		t.Errorf("output %q", r.output["Done"])
	}
}

func TestCountTellsTestsFromSubtests(t *testing.T) {
	r := resultsOf(map[string]string{"A": "pass", "A/b": "pass", "B": "fail", "C": crashed})
	if top, all := r.count("pass"); top != 1 || all != 2 {
		t.Errorf("pass: %d (%d)", top, all)
	}
	if top, all := r.count("fail", crashed); top != 2 || all != 2 {
		t.Errorf("fail: %d (%d)", top, all)
	}
}
