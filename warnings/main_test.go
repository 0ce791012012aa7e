package warnings_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		warnAsChild()
		os.Exit(0)
	}
	flag.Set("rapid.nofailfile", "true")
	goleak.VerifyTestMain(m)
}
