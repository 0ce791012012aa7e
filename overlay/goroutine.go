package overlay

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutineID tells goroutines apart. The id is read from a stack trace
// ("goroutine 18 [running]:…"), the one place where the runtime shows it.
func goroutineID() int64 {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	id, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return id
}
