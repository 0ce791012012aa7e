package driver_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain also is the main function of the child processes that tests start.
func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		children[name]()
		return
	}
	goleak.VerifyTestMain(m)
}

// childVariable names the function in children that a child process is to run.
const childVariable = "SQLAIO_TEST_CHILD"

var children = map[string]func(){}
