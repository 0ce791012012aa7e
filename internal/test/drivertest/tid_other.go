//go:build !linux

package drivertest

// threadID returns 0: threads are told apart on Linux only.
func threadID() int { return 0 }
