//go:build (!linux && !windows) || threadpin_portable

package thread

import (
	"bytes"
	"runtime"
	"strconv"
)

// ID is the goroutine's id, since the system tells a thread's only to C.
// For a locked goroutine it serves as well: nothing else runs on its thread.
// The id is read from a stack trace ("goroutine 18 [running]:…"), the
// one place where the runtime shows it.
func ID() int {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	id, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		panic("threadpin: no goroutine id in a stack trace: " + string(buf[:]))
	}
	return id
}

func onMainThread() bool { return false }

func setThreadName(string) {}

// yieldThread has no portable counterpart; the goroutines of this program run
// at any rate.
func yieldThread() {}
