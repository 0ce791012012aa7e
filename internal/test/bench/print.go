package main

import (
	"fmt"
	"time"
)

// A goal is the most that a row may cost. Its zero value is no goal.
type goal struct {
	ratio float64       // of aio to bare
	plus  time.Duration // over bare
	most  time.Duration // aio alone
}

func (g goal) String() string {
	switch {
	case g.ratio != 0:
		return fmt.Sprint(g.ratio)
	case g.plus != 0:
		return "+" + duration(float64(g.plus))
	case g.most != 0:
		return duration(float64(g.most))
	}
	return ""
}

func (g goal) missed(bare, aio float64) bool {
	switch {
	case g.ratio != 0:
		return aio > g.ratio*bare
	case g.plus != 0:
		return aio > bare+float64(g.plus)
	case g.most != 0:
		return aio > float64(g.most)
	}
	return false
}

func printHead() {
	if *markdown {
		fmt.Print("| work | bare | aio | ratio | goal | allocations | bytes |\n|---|---|---|---|---|---|---|\n")
		return
	}
	fmt.Printf("%-60s %10s %10s %7s %9s %8s %8s\n", "work (! misses its goal)", "bare", "aio", "ratio", "goal", "+allocs", "+bytes")
}

func printRow(name string, g goal, bare, aio cost) {
	mark := " "
	if g.missed(bare.time, aio.time) {
		mark = "!"
	}
	format := "%-60s %10s %10s %7.2f %8s%s %+8.1f %8s\n"
	if *markdown {
		format = "| %s | %s | %s | %.2f | %s%s | %+.0f | %s |\n"
	}
	more := "-"
	if bare.bytes >= 1 {
		more = fmt.Sprintf("%+.0f %%", 100*(aio.bytes/bare.bytes-1))
	}
	fmt.Printf(format, name, duration(bare.time), duration(aio.time), aio.time/bare.time, g, mark, aio.allocs-bare.allocs, more)
}

func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e5:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns < 1e6:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/1e6)
}
