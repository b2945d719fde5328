package migrate

// Decoding keeps a stream from rewriting tokens.
func (o StreamOptions) Decoding() StreamOptions {
	o.decode = true
	return o
}
