package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is what one scenario found. Its goroutine owns it.
type report struct {
	Scenario string
	Skipped  string // why it was not run
	Err      string // the harness's own failure
	Took     time.Duration

	Acknowledged, Refused, Unknown int // what writers were told
	Lost, Half, Kept               int // what the data says to that
	Hung, Leaked, Wrong            int
	Faults                         int // how often something was broken
	Notes                          []string
}

// bad reports whether the run has failed.
func (r *report) bad() bool {
	return r.Err != "" || r.Lost+r.Half+r.Kept+r.Hung+r.Leaked+r.Wrong > 0
}

// fail notes that the scenario could not be carried out.
func (r *report) fail(err error) {
	if r.Err == "" {
		r.Err = err.Error()
	}
}

func (r *report) notef(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// wrongf notes a broken promise.
func (r *report) wrongf(format string, args ...any) {
	r.Wrong++
	r.notef("wrong: "+format, args...)
}

// verdict is the last column of the table.
func (r *report) verdict() string {
	switch {
	case r.Err != "":
		return "FAILED"
	case r.bad():
		return "FOUND"
	case r.Skipped != "":
		return "skipped"
	}
	return "ok"
}

// print prints what the table has no room for.
func (r *report) print(w io.Writer) {
	for _, n := range r.Notes {
		fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(n, "\n", "\n      "))
	}
	if r.Skipped != "" {
		fmt.Fprintf(w, "    skipped: %s\n", r.Skipped)
	}
	if r.Err != "" {
		fmt.Fprintf(w, "    failed: %s\n", strings.ReplaceAll(r.Err, "\n", "\n      "))
	}
	fmt.Fprintf(w, "    %s after %.1f s\n", r.verdict(), r.Took.Seconds())
}

// printTable prints one line for each scenario.
func printTable(w io.Writer, reports []*report) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nscenario\tfaults\tacknowledged\trefused\tunknown\tlost\thalf\tkept\thung\tleaked\twrong\tseconds\t\t")
	for _, r := range reports {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%s\t\n", r.Scenario, r.Faults,
			r.Acknowledged, r.Refused, r.Unknown, r.Lost, r.Half, r.Kept, r.Hung, r.Leaked, r.Wrong,
			r.Took.Seconds(), r.verdict())
	}
	t.Flush()
}
