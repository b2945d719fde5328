package httpapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestACallIsAContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		newCall := func() *call {
			c := &call{}
			c.parent, c.at = parent, time.Now().Add(time.Minute)
			return c
		}

		c := newCall()
		at, ok := c.Deadline()
		assert.True(t, ok)
		assert.Equal(t, time.Now().Add(time.Minute), at)
		assert.Same(t, c, callFrom(context.WithValue(c, key{}, "w")))
		assert.Equal(t, "v", c.Value(key{}))
		child, stop := context.WithCancel(c)
		defer stop()
		assert.Equal(t, "v", child.Value(key{}))
		assert.NoError(t, c.Err())
		time.Sleep(time.Minute)
		<-child.Done()
		assert.ErrorIs(t, c.Err(), context.DeadlineExceeded)
		c.end()

		c = newCall()
		c.end()
		<-c.Done()
		assert.ErrorIs(t, c.Err(), context.Canceled, "ended before anybody waited")
		assert.Equal(t, "v", c.Value(key{}))

		c = newCall()
		done := c.Done()
		c.end()
		<-done

		c = newCall()
		done = c.Done()
		cancel()
		<-done
		assert.ErrorIs(t, c.Err(), context.Canceled, "the client went away")
		c.end()
	})
}
