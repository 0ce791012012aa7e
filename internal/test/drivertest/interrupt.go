package drivertest

import "slices"

// Interrupter is what every connection of this package has beside driver.Conn:
// the way to stop what runs on it from another thread.
type Interrupter interface {
	// Interrupt ends the running call of the connection with ErrInterrupted if
	// it is one that waits by its script. With nothing running it does nothing.
	Interrupt()
	// Number returns the connection's number, as in Call.Conn.
	Number() int
}

// An Interrupt is one call of Interrupter.Interrupt.
type Interrupt struct {
	Conn int
	Hit  int // Seq of the call that was running; 0: none
}

// Interrupts returns what each interrupt hit, in order.
func (d *Driver) Interrupts() []Interrupt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.interrupts)
}

// Interrupt implements Interrupter.
func (c *conn) Interrupt() {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	hit := Interrupt{Conn: c.number}
	if c.closed {
		d.violate("%s was interrupted after Close", c.name)
	}
	if r := c.running; r != nil {
		hit.Hit = r.seq
		if r.protected {
			d.violate("an interrupt hit %v", d.calls[r.seq-1])
		}
		if !r.hit {
			r.hit = true
			close(r.interrupted)
		}
	}
	d.interrupts = append(d.interrupts, hit)
}

// Number implements Interrupter.
func (c *conn) Number() int { return c.number }
