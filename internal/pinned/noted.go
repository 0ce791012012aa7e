package pinned

// Note has the texts of the statements that follow noted, or not, and returns how it was.
// It is for functions, whose own text says nothing. The thread's.
func (c *Conn) Note(on bool) (was bool) {
	was, c.noting = c.noting, on
	if !on {
		c.noted.Lock()
		c.noted.text = ""
		c.noted.Unlock()
	}
	return was
}

// Noted returns the last text that was noted. It may be called from any goroutine.
func (c *Conn) Noted() string {
	c.noted.Lock()
	defer c.noted.Unlock()
	return c.noted.text
}
