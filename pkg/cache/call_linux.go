package cache

import "time"

// extend gives a person d from now on.
func (c *call) extend(d time.Duration) {
	if c.timer != nil && c.timer.Stop() {
		c.timer.Reset(d)
	}
}

// onClose has f called when the call is over.
func (c *call) onClose(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closers = append(c.closers, f)
}
