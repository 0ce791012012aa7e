//go:build race

package conformance

func init() { slow = true }
