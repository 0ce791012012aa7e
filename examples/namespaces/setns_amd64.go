//go:build linux

package main

// sysSetns is the number of the system call setns, which is newer than package
// syscall's list for this architecture.
const sysSetns = 308
