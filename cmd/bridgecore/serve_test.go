package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// served is a server that runs as the command would.
type served struct {
	url    string
	log    func() string // all of it, once it has ended
	cancel context.CancelFunc
	ended  chan int
}

func serve(t *testing.T, p program) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	s := &served{cancel: cancel, ended: make(chan int, 1)}
	go func() {
		s.ended <- run(ctx, []string{"serve"}, world{environ: append(p.environ, "PORT=0", "HOST=127.0.0.1"), stdin: strings.NewReader(""), stdout: w, stderr: w})
		_ = w.Close()
	}()
	var text strings.Builder
	lines := bufio.NewScanner(r)
	address := regexp.MustCompile(`address"?[=:]"?([0-9.:]+)`)
	for s.url == "" && lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			s.url = "http://" + m[1]
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			text.WriteString(lines.Text() + "\n")
		}
	}()
	s.log = func() string { <-done; return text.String() }
	require.NotEmpty(t, s.url, text.String())
	return s
}

func (s *served) get(t *testing.T, path string) (int, string) {
	t.Helper()
	res, err := http.Get(s.url + path) //nolint:noctx // a test's own server
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func (s *served) login(t *testing.T, user, password string) int {
	t.Helper()
	res, err := http.Post(s.url+"/api/v1/auth/login", "application/json", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, user, password))) //nolint:noctx // a test's own server
	require.NoError(t, err)
	_ = res.Body.Close()
	return res.StatusCode
}

func TestServe(t *testing.T) {
	p := newProgram(t)
	s := serve(t, p)
	status, body := s.get(t, "/readyz")
	assert.Equal(t, 200, status, body)
	assert.Equal(t, 401, s.login(t, "admin", "correct-horse-9"), "nobody is created by logging in")

	code, _, stderr := p.run("correct-horse-9\n", "user", "add", "admin", "--admin")
	require.Equal(t, statusOK, code, stderr)
	assert.Equal(t, 200, s.login(t, "admin", "correct-horse-9"), "a user that was added while it runs")
	s.cancel()
	assert.Equal(t, statusOK, <-s.ended)
	log := s.log()
	assert.Contains(t, log, "bridgecore user add admin --admin")
	assert.NotContains(t, log, "correct-horse-9")
	http.DefaultClient.CloseIdleConnections()

	// Tokens and systems outlive the process: the secrets were kept.
	again := serve(t, p)
	assert.Equal(t, 200, again.login(t, "admin", "correct-horse-9"))
	again.cancel()
	assert.Equal(t, statusOK, <-again.ended)
	assert.NotContains(t, again.log(), "user add")
	assert.NotContains(t, again.log(), "generated")
	http.DefaultClient.CloseIdleConnections()
}

func TestServeMakesTheFirstUserOnce(t *testing.T) {
	p := newProgram(t, "BRIDGECORE_ADMIN_PASSWORD=canary-first-password")
	s := serve(t, p)
	assert.Equal(t, 200, s.login(t, "admin", "canary-first-password"))
	s.cancel()
	assert.Equal(t, statusOK, <-s.ended)
	assert.NotContains(t, s.log(), "canary")
	http.DefaultClient.CloseIdleConnections()

	p.environ = append(p.environ, "BRIDGECORE_ADMIN_PASSWORD=canary-other-password")
	s = serve(t, p)
	assert.Equal(t, 401, s.login(t, "admin", "canary-other-password"), "an existing user is not touched")
	s.cancel()
	<-s.ended
	http.DefaultClient.CloseIdleConnections()
}

func TestServeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		environ []string
		status  int
		want    []string
	}{
		"production without secrets":  {[]string{"ENVIRONMENT=production"}, statusUsage, []string{"SECRET_KEY: must be set", "ENCRYPTION_KEY: must be set"}},
		"production with the default": {[]string{"ENVIRONMENT=production", "SECRET_KEY=your-secret-key-here"}, statusUsage, []string{"SECRET_KEY: is a placeholder"}},
		"a bad database":              {[]string{"DATABASE_URL=postgres://u:canary@127.0.0.1:1/d"}, statusFailed, []string{"connect to the postgres database"}},
		"a bad Redis":                 {[]string{"REDIS_URL=canary"}, statusUsage, []string{"REDIS_URL: "}},
		"a short first password":      {[]string{"BRIDGECORE_ADMIN_PASSWORD=canary"}, statusUsage, []string{"BRIDGECORE_ADMIN_PASSWORD: ", "12 characters"}},
		"an impossible address":       {[]string{"HOST=203.0.113.1"}, statusFailed, []string{"listen"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := newProgram(t, tc.environ...).run("", "serve")
			assert.Equal(t, tc.status, status, stderr)
			for _, want := range tc.want {
				assert.Contains(t, stderr, want)
			}
			assert.NotContains(t, out+stderr, "canary")
		})
	}
}

// A request under way is answered although the server is told to end; new
// connections are refused.
func TestShutdownLetsRequestsFinish(t *testing.T) {
	p := newProgram(t, "BRIDGECORE_ADMIN_PASSWORD=canary-first-password")
	s := serve(t, p)
	// A request whose body is not there yet is under way.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://")) //nolint:noctx // a test's own server
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	body := `{"username":"admin","password":"canary-first-password"}`
	_, err = fmt.Fprintf(conn, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	require.NoError(t, err)
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue", "the handler waits for the body")
	_, err = answer.ReadString('\n')
	require.NoError(t, err)

	s.cancel()
	for {
		refused, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://")) //nolint:noctx // a test's own server
		if err != nil {
			break
		}
		_ = refused.Close()
	}
	_, err = io.WriteString(conn, body)
	require.NoError(t, err)
	res, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, 200, res.StatusCode, string(b))
	assert.Contains(t, string(b), "access_token")
	assert.Equal(t, statusOK, <-s.ended)
	assert.Contains(t, s.log(), "shutting down")
}
