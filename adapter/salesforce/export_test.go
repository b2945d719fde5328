package salesforce

import "time"

// SetMaxURI bounds the addresses that a client uses.
func SetMaxURI(c *Client, n int) { c.uri = n }

// ChangeCursor is a cursor of the changes since a time.
func ChangeCursor(model string, since time.Time) string {
	return (&window{from: since}).cursor(&object{Name: model})
}
