//go:build windows && !threadpin_portable

package thread

import "syscall"

var getCurrentThreadID = syscall.NewLazyDLL("kernel32.dll").NewProc("GetCurrentThreadId")

func ID() int {
	id, _, _ := getCurrentThreadID.Call()
	return int(id)
}

func onMainThread() bool { return false }

func setThreadName(string) {}

var switchToThread = syscall.NewLazyDLL("kernel32.dll").NewProc("SwitchToThread")

// yieldThread lets another thread that waits for this processor run first.
func yieldThread() { switchToThread.Call() }
