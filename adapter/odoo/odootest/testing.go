package odootest

// TB is the part of testing.TB that New needs, so that programs which are no
// tests don't import package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// New starts a simulated server of a version, such as "17.0", that is closed
// when the test ends.
func New(t TB, version string) *Server {
	t.Helper()
	s, err := Start(Config{Version: version})
	if err != nil {
		t.Fatalf("odootest: %v", err)
		return nil
	}
	t.Cleanup(s.Close)
	return s
}
