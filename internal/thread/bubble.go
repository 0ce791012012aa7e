package thread

import "time"

const fiveYears = 5 * 365 * 24 * time.Hour

// inBubble reports whether the goroutine belongs to a bubble of testing/synctest, as its
// clock says: time begins there with the year 2000, and may soon have gone on by years. In a bubble a worker sleeps in a
// channel, since time goes on only when the bubble's goroutines wait for each other; and
// its tasks are not recycled, since a channel must not leave its bubble.
func inBubble() bool {
	return time.Now().Round(0).Sub(epoch.Round(0)).Abs() > fiveYears
}
