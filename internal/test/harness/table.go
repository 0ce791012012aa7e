package harness

import (
	"bytes"
	"fmt"
	"testing"
	"text/tabwriter"
)

// A Table is logged at the end of a test.
type Table struct {
	buf bytes.Buffer
	w   *tabwriter.Writer
}

func NewTable(columns ...any) *Table {
	tab := new(Table)
	tab.w = tabwriter.NewWriter(&tab.buf, 0, 0, 2, ' ', 0)
	tab.Row(columns...)
	return tab
}

func (tab *Table) Row(cells ...any) {
	for _, c := range cells {
		fmt.Fprint(tab.w, c, "\t")
	}
	fmt.Fprintln(tab.w)
}

func (tab *Table) Print(t testing.TB) {
	tab.w.Flush()
	t.Logf("hops:\n%s", &tab.buf)
}
