// Package tour has the README's Go code, in examples that the tests run:
//
//	go test -v ./examples/tour
//
// Each piece of Go in the README is here, line for line.
package tour
