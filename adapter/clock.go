package adapter

import (
	"net/http"
	"sync/atomic"
	"time"
)

// AnswerClock is the clock of a system that answers over HTTP, for an adapter
// that is [Clocked]: it goes on from the Date of the last answer. The zero value
// knows no time yet. It is safe for concurrent use.
type AnswerClock struct {
	last atomic.Pointer[answered] // nil before the first answer
}

// answered is when the system dated an answer, and when that came.
type answered struct{ said, came time.Time }

// Note takes in an answer that came just now. One without a date says nothing.
func (c *AnswerClock) Note(answer http.Header) {
	if said, err := http.ParseTime(answer.Get("Date")); err == nil {
		c.last.Store(&answered{said, time.Now()})
	}
}

// Clock returns the system's time now, and false before it said one.
func (c *AnswerClock) Clock() (now time.Time, ok bool) {
	last := c.last.Load()
	if last == nil {
		return time.Time{}, false
	}
	return last.said.Add(time.Since(last.came)), true
}
