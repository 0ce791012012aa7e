package thread

import _ "unsafe" // for go:linkname

// The runtime promises to keep these two: others use them, and it says so where they
// are declared.

// canSpin reports whether no goroutine waits for this processor, while another
// processor has work. sync.Mutex asks it before it waits actively.
//
//go:linkname canSpin sync.runtime_canSpin
func canSpin(i int) bool

// procyield keeps the processor for a moment without a load on memory. Nothing waits
// for a goroutine in it any longer than for one that computes.
//
//go:linkname procyield runtime.procyield
func procyield(cycles uint32)

// wanted reports whether an active wait should end: a goroutine wants the processor,
// or nobody else runs who could end the wait.
func wanted() bool { return !canSpin(0) }

// pause is a step of an active wait, some tens of nanoseconds.
func pause() { procyield(1) }
