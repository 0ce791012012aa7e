package sqltext_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "2000")
	flag.Set("rapid.nofailfile", "true")
	goleak.VerifyTestMain(m)
}
