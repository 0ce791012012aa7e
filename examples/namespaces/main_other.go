//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println("skipped: network namespaces are Linux's, and this is", runtime.GOOS) }
