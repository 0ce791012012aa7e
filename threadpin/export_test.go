package threadpin

// CurrentThreadID is what ThreadID is for the calling goroutine's thread.
func CurrentThreadID() int { return threadID() }
