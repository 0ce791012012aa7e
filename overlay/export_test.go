package overlay

// Running reports whether a lane has begun the future's call, and database
// statements that follow at once may be waited for.
func Running[T any](f *Future[T]) bool {
	c, ok := f.cancel.(*call)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == running
}

// Lent is how many results keep a lane of an engine's.
func Lent(e *Engine) int {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	return len(e.pool.lent)
}
