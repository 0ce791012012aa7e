package thread_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// The model test makes about 90 steps a check: 1,200 checks are 100,000 steps.
func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "1200")
	flag.Set("rapid.nofailfile", "true")
	goleak.VerifyTestMain(m)
}
