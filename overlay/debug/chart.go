package debug

import (
	"fmt"
	"math"

	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

// A chart shows a histogram. Heights are logarithmic: one slow call among a million is
// seen.
type chart struct {
	Title, Summary string
	Width          int
	Bars           []bar
}

type bar struct {
	Level              string
	Label, Tick, Short string
	Count              int64
	X, Y, Height       int
	Mid, Above         int
}

const (
	barStep    = 26
	chartBase  = 112
	barsHeight = 92
)

func newChart(title string, bars []inspect.Bar) chart {
	var total, most int64
	last := 0
	for i, b := range bars {
		total += b.Count
		most = max(most, b.Count)
		if b.Count > 0 {
			last = i
		}
	}
	c := chart{Title: title, Summary: "no calls yet"}
	if total == 0 {
		return c
	}
	c.Summary = fmt.Sprintf("%d calls: half in less than %s, 99 %% in less than %s, the slowest in less than %s",
		total, quantile(bars, total, 0.5), quantile(bars, total, 0.99), quantile(bars, total, 1))
	bars = bars[:max(last+1, 16)] // up to 32 ms, so that charts can be compared
	c.Width = len(bars)*barStep + 8
	below := 0.0
	for i, b := range bars {
		h := 0
		if b.Count > 0 {
			h = 4 + int((barsHeight-4)*math.Log1p(float64(b.Count))/math.Log1p(float64(most)))
		}
		x := 4 + i*barStep
		one := bar{Level: chartLevel(below), Label: fmt.Sprintf("%s to %s", age(below), age(b.Below)), Count: b.Count, X: x, Y: chartBase - h, Height: h, Mid: x + 11, Above: chartBase - h - 3}
		if b.Below == 0 {
			one.Label = age(below) + " and more"
		}
		if b.Count > 0 {
			one.Short = short(b.Count)
		}
		if i%2 == 0 {
			one.Tick = age(below)
		}
		c.Bars = append(c.Bars, one)
		below = b.Below
	}
	return c
}

// quantile returns the end of the bar in which the share of the calls is reached.
func quantile(bars []inspect.Bar, total int64, share float64) string {
	n := int64(0)
	for _, b := range bars {
		n += b.Count
		if float64(n) >= share*float64(total) && b.Below > 0 {
			return age(b.Below)
		}
	}
	return "any time"
}

func chartLevel(seconds float64) string {
	switch {
	case seconds >= 0.9: // from 2^20 µs
		return "bad"
	case seconds >= 0.1:
		return "warn"
	}
	return ""
}

// short formats a count in at most four characters.
func short(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%dG", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%dM", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%dk", n/1e3)
	}
	return fmt.Sprint(n)
}
