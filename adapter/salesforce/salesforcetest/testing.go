package salesforcetest

// TB is the part of testing.TB that New needs, so that programs which are no
// tests don't import package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// New starts a simulated org that is closed when the test ends.
func New(t TB) *Server {
	t.Helper()
	s, err := Start(Config{})
	if err != nil {
		t.Fatalf("salesforcetest: %v", err)
		return nil
	}
	t.Cleanup(s.Close)
	return s
}
