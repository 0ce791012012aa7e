//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println("skipped: network namespaces need Linux, and this is", runtime.GOOS) }
