package tour

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// code returns the lines of a text without surrounding white space.
func code(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// Every piece of Go in the README, from one empty line to the next, is in a file of
// this package, which the tests compile and run.
func TestReadmeIsCompiled(t *testing.T) {
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tour []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tour = append(tour, "\n"+strings.Join(code(string(text)), "\n")+"\n")
	}
	inTour := func(piece []string) bool {
		for _, file := range tour {
			if strings.Contains(file, "\n"+strings.Join(piece, "\n")+"\n") {
				return true
			}
		}
		return false
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	for i, block := range strings.Split(string(readme), "\n```") {
		if i%2 == 0 || !strings.HasPrefix(block, "go\n") {
			continue
		}
		for piece := range strings.SplitSeq(strings.TrimPrefix(block, "go\n"), "\n\n") {
			pieces++
			if lines := code(strings.TrimSpace(piece)); !inTour(lines) {
				t.Errorf("in no file of examples/tour:\n%s", strings.Join(lines, "\n"))
			}
		}
	}
	if pieces < 15 {
		t.Errorf("found only %d pieces of Go in the README", pieces)
	}
	t.Logf("%d pieces", pieces)
}
