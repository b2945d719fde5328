package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
)

// process is the program, running.
type process struct {
	*exec.Cmd
	address string
	lines   *bufio.Scanner
	log     strings.Builder
}

func startProcess(t *testing.T, p program) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &process{Cmd: exec.Command(self, "serve")} //nolint:noctx // it is sent signals
	c.Env = append(slices.Clone(p.environ), "PORT=0", "HOST=127.0.0.1", asProgram+"=1", "PATH="+os.Getenv("PATH"))
	c.Dir = t.TempDir()
	out, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	c.lines = bufio.NewScanner(out)
	c.address = c.until(t, `address"?[=:]"?([0-9.:]+)`)
	return c
}

// until reads the log up to a line, and returns what the pattern caught.
func (p *process) until(t *testing.T, pattern string) string {
	t.Helper()
	like := regexp.MustCompile(pattern)
	for p.lines.Scan() {
		p.log.WriteString(p.lines.Text() + "\n")
		if m := like.FindStringSubmatch(p.lines.Text()); m != nil {
			return m[len(m)-1]
		}
	}
	require.Fail(t, "the log ended", p.log.String())
	return ""
}

// end reads the log to its end and waits for the process.
func (p *process) end() error {
	for p.lines.Scan() {
		p.log.WriteString(p.lines.Text() + "\n")
	}
	return p.Wait()
}

// hang begins a request whose body does not come.
func hang(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	return hangAt(t, address, "/api/v1/auth/login", "")
}

func hangAt(t *testing.T, address, path, token string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address) //nolint:noctx // a test's own server
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n", path, token)
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	return conn, r
}

// A signal lets requests finish, and what was to be told of them is told before
// the process ends.
func TestASignalDrains(t *testing.T) {
	var mu sync.Mutex
	told := 0
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		told++
	}))
	t.Cleanup(collector.Close)
	p := startProcess(t, newProgram(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL))
	conn, answer := hang(t, p.address)
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	p.until(t, `shutting down`)
	body := `{"username":"nobody", "password": "none"}`[:40]
	_, err := io.WriteString(conn, body)
	require.NoError(t, err)
	res, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	_ = res.Body.Close()
	assert.Equal(t, 400, res.StatusCode, "the request under way is answered")
	require.NoError(t, p.end(), p.log.String())
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, 1, told, "its trace was sent")
	assert.Contains(t, p.log.String(), "trace_id=")
	assert.NotContains(t, p.log.String(), "could not")
}

// The second signal does not wait for anybody.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	p := startProcess(t, newProgram(t))
	hang(t, p.address)
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	p.until(t, `shutting down`)
	// The program stops to catch signals a moment after it heard the first.
	ended := make(chan error, 1)
	go func() { ended <- p.end() }()
	var err error
	for over := false; !over; {
		_ = p.Process.Signal(syscall.SIGTERM)
		select {
		case err = <-ended:
			over = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	assert.True(t, status.Signaled())
	assert.Equal(t, syscall.SIGTERM, status.Signal())
}

// impatient is a server that waits for nobody.
func impatient(t *testing.T, change func(*patience)) string {
	t.Helper()
	p := newProgram(t)
	status, _, stderr := p.run("correct-horse-9\n", "user", "add", "admin", "--admin")
	require.Equal(t, statusOK, status, stderr)
	c, err := config.Load(p.environ, "")
	require.NoError(t, err)
	_, err = c.FillSecrets()
	require.NoError(t, err)
	wait := patience{time.Minute, time.Minute, time.Minute}
	change(&wait)
	s, err := assembleWith(t.Context(), c, slog.New(slog.DiscardHandler), wait)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own server
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
		s.close()
	})
	return listener.Addr().String()
}

// Clients that dawdle are not waited for.
func TestSlowClientsAreCutOff(t *testing.T) {
	const soon = 50 * time.Millisecond
	t.Run("header", func(t *testing.T) {
		address := impatient(t, func(p *patience) { p.header = soon })
		conn, err := net.Dial("tcp", address) //nolint:noctx // a test's own server
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow:")
		require.NoError(t, err)
		rest, _ := io.ReadAll(conn)
		assert.NotContains(t, string(rest), "200 OK", "the connection is closed, its request not served")
	})
	t.Run("body", func(t *testing.T) {
		address := impatient(t, func(p *patience) { p.body = soon })
		res, err := http.Post("http://"+address+"/api/v1/auth/login", "application/json", strings.NewReader(`{"username":"admin","password":"correct-horse-9"}`)) //nolint:noctx // a test's own server
		require.NoError(t, err)
		var grant struct {
			AccessToken string `json:"access_token"`
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(&grant))
		_ = res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		for _, path := range []string{"/api/v1/auth/login", "/api/v1/systems/x/crud"} {
			_, answer := hangAt(t, address, path, grant.AccessToken)
			res, err := http.ReadResponse(answer, nil)
			require.NoError(t, err)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			_ = res.Body.Close()
			assert.Equal(t, http.StatusRequestTimeout, res.StatusCode, string(b))
			assert.Contains(t, string(b), "request_timeout")
		}
	})
	t.Run("idle", func(t *testing.T) {
		address := impatient(t, func(p *patience) { p.idle = soon })
		conn, err := net.Dial("tcp", address) //nolint:noctx // a test's own server
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		all, err := io.ReadAll(conn)
		require.NoError(t, err, "the server closes")
		assert.Contains(t, string(all), "200 OK")
	})
}

func TestLargeHeadersAreRefused(t *testing.T) {
	address := impatient(t, func(*patience) {})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/health", nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for size, want := range map[int]int{mostHeader / 2: http.StatusOK, 2 * mostHeader: http.StatusRequestHeaderFieldsTooLarge} {
		req.Header.Set("X-Large", strings.Repeat("x", size))
		res, err := client.Do(req)
		require.NoError(t, err)
		_ = res.Body.Close()
		assert.Equal(t, want, res.StatusCode, strconv.Itoa(size))
	}
}
