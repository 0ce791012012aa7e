//go:build !linux || threadpin_portable

package thread

// A worker parks in a channel. Its caller waits actively nevertheless if calls come
// close together: there is no other way to get to that.
const (
	hasKernelParker = false
	handsOn         = ways
)

type kernelParker struct{}

func (*kernelParker) sleep(func() bool) {}
func (*kernelParker) wake()             {}
