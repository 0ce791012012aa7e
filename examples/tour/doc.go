// Package tour is the code of the README, in examples that the tests run:
//
//	go test -v ./examples/tour
//
// Each piece of Go in the README stands here, line for line.
package tour
