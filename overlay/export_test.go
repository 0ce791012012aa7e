package overlay

// Running reports whether a lane has begun the future's call, and database
// statements that follow at once may be waited for.
func Running[T any](f *Future[T]) bool {
	c, ok := f.cancel.(*call)
	if !ok {
		return false
	}
	return c.phase.Load() == running
}
