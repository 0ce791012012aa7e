//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

// The program says that it needs Linux before it gets here.
var errNeedsLinux = errors.New("needs Linux")

func dieWithParent(*exec.Cmd)                      {}
func ownMounts(*child)                             {}
func mountSmall(dir, size string) error            { return errNeedsLinux }
func limitDescriptors(n int) (func() error, error) { return nil, errNeedsLinux }
func asServer(*exec.Cmd) (uid, gid int, err error) { return 0, 0, errNeedsLinux }
func threads() int                                 { return 0 }
func descriptors() map[int]string                  { return nil }
