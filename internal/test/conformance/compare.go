package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// compare plays a case on both sides and returns the differences.
func (s *suite) compare(c Case, kind drivertest.Features) []string {
	bare := s.play(s.bare, kind, c.Body)
	wrapped := s.play(s.wrapped, kind, c.Body)
	if c.SeenOnly {
		return differencesSeen(bare.seen, wrapped.seen)
	}
	return s.differences(bare, wrapped, c.Withdrawn)
}

func (s *suite) differences(bare, wrapped outcome, withdrawn bool) []string {
	found := differencesSeen(bare.notes, wrapped.notes)
	found = append(found, s.compareOrder(bare.log, wrapped.log, withdrawn)...)
	for _, v := range wrapped.violations {
		if !slices.Contains(bare.violations, v) {
			found = append(found, "broken rule: "+v)
		}
	}
	for _, name := range wrapped.open {
		if !slices.Contains(bare.open, name) {
			found = append(found, "left open: "+name)
		}
	}
	if s.oneThread {
		found = append(found, wrapped.threads...)
	}
	return found
}

func differencesSeen(bare, wrapped []string) []string {
	var found []string
	for _, note := range bare {
		if strings.HasPrefix(note, broken) {
			found = append(found, "on the bare driver: "+note)
		}
	}
	if d := diff(bare, wrapped); d != "" {
		found = append(found, "what the program sees differs:\n"+d)
	}
	return found
}

// diff shows where two lists part, with some lines around; "" if they are equal.
func diff(bare, wrapped []string) string {
	i := 0
	for i < len(bare) && i < len(wrapped) && bare[i] == wrapped[i] {
		i++
	}
	if i == len(bare) && i == len(wrapped) {
		return ""
	}
	var b strings.Builder
	show := func(mark string, list []string, from, to int) {
		for _, line := range list[max(from, 0):max(0, min(to, len(list)))] {
			fmt.Fprintf(&b, "  %-8s %s\n", mark, line)
		}
	}
	show("", bare, i-4, i)
	show("bare:", bare, i, i+3)
	show("wrapped:", wrapped, i, i+3)
	return b.String()
}
