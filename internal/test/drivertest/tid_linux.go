package drivertest

import "syscall"

// threadID returns the id of the OS thread it is called on.
func threadID() int { return syscall.Gettid() }
