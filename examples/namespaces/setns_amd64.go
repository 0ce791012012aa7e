//go:build linux

package main

// sysSetns is the number of setns, younger than what package syscall knows of
// this architecture.
const sysSetns = 308
