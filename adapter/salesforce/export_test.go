package salesforce

// SetMaxURI bounds the addresses that a client uses.
func SetMaxURI(c *Client, n int) { c.uri = n }
