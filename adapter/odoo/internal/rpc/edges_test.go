package rpc_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

var (
	read  = rpc.Call{Model: "res.partner", Method: "read", Args: []any{[]int{1}}}
	write = rpc.Call{Model: "res.partner", Method: "write", Args: []any{[]int{1}, map[string]any{"name": "x"}}, Changes: true}
)

func dial(t *testing.T, cfg rpc.Config) *rpc.Conn {
	t.Helper()
	c, err := rpc.Dial(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func fault(t *testing.T, err error) *adapter.Error {
	t.Helper()
	var e *adapter.Error
	require.ErrorAs(t, err, &e)
	assert.NotContains(t, e.Error(), "127.0.0.1", "no addresses for callers")
	assert.NotContains(t, e.Error(), "secret")
	return e
}

// What can happen to a call on the wire, and what it means for one that reads
// and for one that changes something.
func TestBrokenAnswers(t *testing.T) {
	f := newFake(t, "17")
	release := make(chan struct{})
	t.Cleanup(func() { close(release) }) // before the server waits for its handlers
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			page(code)(w, r)
		}
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, body)
		}
	}
	raw := func(bytes string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, bytes)
				_ = conn.Close()
			}
		}
	}
	tests := []struct {
		name          string
		answer        http.HandlerFunc
		reads, writes adapter.Code
		retry         bool // the read may be repeated
		after         time.Duration
	}{
		{name: "hangs", answer: func(w http.ResponseWriter, r *http.Request) { <-release }, reads: adapter.Timeout, writes: adapter.UnknownOutcome, retry: true},
		{name: "hangs within the answer", answer: func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"jsonrpc"`)
			w.(http.Flusher).Flush()
			<-release
		}, reads: adapter.Timeout, writes: adapter.UnknownOutcome, retry: true},
		{name: "closes", answer: raw(""), reads: adapter.Unavailable, writes: adapter.UnknownOutcome, retry: true},
		{name: "closes within the headers", answer: raw("HTTP/1.1 200 OK\r\nContent-"), reads: adapter.Unavailable, writes: adapter.UnknownOutcome, retry: true},
		{name: "closes within the body", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), reads: adapter.Unavailable, writes: adapter.UnknownOutcome, retry: true},
		{name: "speaks another protocol", answer: raw("SSH-2.0-OpenSSH_9.2\r\n"), reads: adapter.Unavailable, writes: adapter.UnknownOutcome},
		{name: "answers a page", answer: status(200), reads: adapter.Unavailable, writes: adapter.UnknownOutcome},
		{name: "answers text", answer: text("all is well"), reads: adapter.Unavailable, writes: adapter.UnknownOutcome},
		{name: "answers nothing", answer: text(""), reads: adapter.Unavailable, writes: adapter.UnknownOutcome},
		{name: "answers half", answer: text(`{"jsonrpc": "2.0", "result": [1, 2`), reads: adapter.Unavailable, writes: adapter.UnknownOutcome},
		{name: "answers something after", answer: text(result("1") + "x"), reads: adapter.Unavailable, writes: adapter.UnknownOutcome},
		{name: "redirects", answer: status(302, "Location", "/web/login"), reads: adapter.Unavailable, writes: adapter.Unavailable},
		{name: "forbids", answer: status(403), reads: adapter.Unavailable, writes: adapter.Unavailable},
		{name: "has no such path", answer: status(404), reads: adapter.Unavailable, writes: adapter.Unavailable},
		{name: "wants less", answer: status(413), reads: adapter.InvalidArgument, writes: adapter.InvalidArgument},
		{name: "is overrun", answer: status(429, "Retry-After", "7"), reads: adapter.RateLimited, writes: adapter.RateLimited, retry: true, after: 7 * time.Second},
		{name: "fails", answer: status(500), reads: adapter.Unavailable, writes: adapter.UnknownOutcome, retry: true},
		{name: "lost Odoo", answer: status(502), reads: adapter.Unavailable, writes: adapter.UnknownOutcome, retry: true},
		{name: "is in maintenance", answer: status(503, "Retry-After", "120"), reads: adapter.Unavailable, writes: adapter.Unavailable, retry: true, after: 2 * time.Minute},
		{name: "gave up on Odoo", answer: status(504), reads: adapter.Unavailable, writes: adapter.UnknownOutcome, retry: true},
	}
	for _, transport := range []string{rpc.JSONRPC, rpc.Session} {
		cfg := f.config()
		cfg.Transport, cfg.Timeout = transport, 150*time.Millisecond
		c := dial(t, cfg)
		for _, test := range tests {
			t.Run(transport+" "+test.name, func(t *testing.T) {
				f.onCall(test.answer)
				_, err := c.Call(t.Context(), read)
				e := fault(t, err)
				assert.Equal(t, test.reads, e.Code, "%v", err)
				assert.Equal(t, test.retry, adapter.Retryable(err, false), "%v: %v", err, e.Err)
				assert.Equal(t, test.after, e.RetryAfter)
				assert.False(t, e.NothingSent)

				_, err = c.Call(t.Context(), write)
				e = fault(t, err)
				assert.Equal(t, test.writes, e.Code, "%v", err)
				assert.False(t, e.NothingSent)
				if e.Code != adapter.RateLimited {
					assert.False(t, adapter.Retryable(err, true), "%v", err)
				}
			})
		}
	}
}

func TestNothingListens(t *testing.T) {
	f := newFake(t, "17")
	f.Config.SetKeepAlivesEnabled(false) // as Odoo's own server does
	c := dial(t, f.config())
	f.Close()
	_, err := c.Call(t.Context(), write)
	e := fault(t, err)
	require.Equal(t, adapter.Unavailable, e.Code)
	require.True(t, e.NothingSent, "a change that was not sent may be repeated")
	require.True(t, adapter.Retryable(err, true))
	_, err = rpc.Dial(t.Context(), f.config())
	require.Equal(t, adapter.Unavailable, fault(t, err).Code)
}

func TestUnknownHost(t *testing.T) {
	_, err := rpc.Dial(t.Context(), rpc.Config{URL: "http://odoo.invalid", Database: "shop", Username: "ada", Password: "secret"})
	e := fault(t, err)
	require.Equal(t, adapter.Unavailable, e.Code)
	require.True(t, e.NothingSent)
}

func TestCancellation(t *testing.T) {
	f := newFake(t, "17")
	c := dial(t, f.config())
	for _, test := range []struct {
		call rpc.Call
		want adapter.Code
	}{{read, adapter.Canceled}, {write, adapter.UnknownOutcome}} {
		ctx, cancel := context.WithCancel(t.Context())
		f.onCall(func(w http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := c.Call(ctx, test.call)
		require.Equal(t, test.want, fault(t, err).Code)
		require.ErrorIs(t, err, context.Canceled)

		// Canceled before it was sent.
		_, err = c.Call(ctx, test.call)
		e := fault(t, err)
		require.Equal(t, adapter.Canceled, e.Code)
		require.True(t, e.NothingSent)
	}
}

// endless writes on and on, and counts.
func endless(written *atomic.Int64, head string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, head)
		chunk := strings.Repeat("0,", 32<<10)
		for {
			n, err := io.WriteString(w, chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

func TestLargeAnswers(t *testing.T) {
	f := newFake(t, "17")
	cfg := f.config()
	cfg.MaxResponse = 1 << 20
	c := dial(t, cfg)
	var written atomic.Int64
	for name, answer := range map[string]http.HandlerFunc{
		"endless": endless(&written, `{"jsonrpc": "2.0", "result": [`),
		"10 GB": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(10<<30))
			endless(&written, `{"jsonrpc": "2.0", "result": [`)(w, r)
		},
		"10 GB packed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for {
				n, err := z.Write(make([]byte, 64<<10))
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			written.Store(0)
			f.onCall(answer)
			_, err := c.Call(t.Context(), read)
			e := fault(t, err)
			require.Equal(t, adapter.InvalidArgument, e.Code)
			require.Contains(t, e.Message, "over 1 MB")
			_, err = c.Call(t.Context(), write)
			require.Equal(t, adapter.UnknownOutcome, fault(t, err).Code)
		})
	}
	// A page is not read to its end, however large.
	f.onCall(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		endless(&written, "<html>")(w, r)
	})
	_, err := c.Call(t.Context(), read)
	require.Equal(t, adapter.Unavailable, fault(t, err).Code)

	// The first answers, before any login, have a smaller limit.
	f.route("/web/webclient/version_info", endless(&written, `{"jsonrpc": "2.0", "result": [`))
	_, err = rpc.Dial(t.Context(), f.config())
	require.Error(t, err)

	// What just fits is read.
	f.onCall(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, result(`"`+strings.Repeat("x", 1<<20-len(result(`""`)))+`"`))
	})
	got, err := c.Call(t.Context(), read)
	require.NoError(t, err)
	require.Greater(t, len(got), 1<<20-100)
}

func TestLargeXML(t *testing.T) {
	f := newFake(t, "17")
	const start = "<?xml version='1.0'?><methodResponse><params><param><value>"
	f.route("/xmlrpc/2/common", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, start+"<int>7</int></value></param></params></methodResponse>")
	})
	cfg := f.config()
	cfg.Transport, cfg.MaxResponse = rpc.XMLRPC, 1<<20
	f.route("/xmlrpc/2/object", nil)
	c := dialForced(t, f, cfg)
	var written atomic.Int64
	f.route("/xmlrpc/2/object", endless(&written, start+"<string>"))
	_, err := c.Call(t.Context(), read)
	require.Equal(t, adapter.InvalidArgument, fault(t, err).Code)
	_, err = c.Call(t.Context(), write)
	require.Equal(t, adapter.UnknownOutcome, fault(t, err).Code)
	// Garbage is noticed at once.
	f.route("/xmlrpc/2/object", endless(&written, start+"<nope>"))
	_, err = c.Call(t.Context(), read)
	require.Equal(t, adapter.Unavailable, fault(t, err).Code)
	f.route("/xmlrpc/2/object", page(200))
	_, err = c.Call(t.Context(), write)
	require.Equal(t, adapter.UnknownOutcome, fault(t, err).Code)
	// The method ran, and returned None.
	f.route("/xmlrpc/2/object", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member><member><name>faultString</name><value><string>Traceback (most recent call last):
  File "/opt/odoo/odoo/http.py", line 1, in x
    raise TypeError()
TypeError: cannot marshal None unless allow_none is enabled
</string></value></member></struct></value></fault></methodResponse>`)
	})
	got, err := c.Call(t.Context(), write)
	require.NoError(t, err)
	require.Equal(t, "null", string(got))
}

// dialForced dials a transport whose own version probe the fake does not have.
func dialForced(t *testing.T, f *fake, cfg rpc.Config) *rpc.Conn {
	t.Helper()
	version := `<?xml version='1.0'?><methodResponse><params><param><value><struct><member><name>server_version</name><value>17.0</value></member><member><name>server_version_info</name><value><array><data><value><int>17</int></value><value><int>0</int></value></data></array></value></member></struct></value></param></params></methodResponse>`
	login := `<?xml version='1.0'?><methodResponse><params><param><value><int>7</int></value></param></params></methodResponse>`
	f.route("/xmlrpc/2/common", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), ">version<") {
			_, _ = io.WriteString(w, version)
			return
		}
		_, _ = io.WriteString(w, login)
	})
	c := dial(t, cfg)
	require.Equal(t, rpc.XMLRPC, c.Transport())
	require.EqualValues(t, 7, c.UID())
	return c
}

func TestPackedAnswers(t *testing.T) {
	f := newFake(t, "17")
	c := dial(t, f.config())
	f.onCall(func(w http.ResponseWriter, r *http.Request) {
		assert.Contains(t, r.Header.Get("Accept-Encoding"), "gzip")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, result(`[{"id": 1.50}]`))
		_ = z.Close()
	})
	got, err := c.Call(t.Context(), read)
	require.NoError(t, err)
	require.Equal(t, `[{"id": 1.50}]`, string(got))
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer followed.Close()
	for to, want := range map[string]string{
		followed.URL + "/x":         "another host",
		"https://127.0.0.1/web":     "begin the system's URL with https://",
		"/web/login?redirect=%2Fx":  "login page",
		"/web/database/selector":    "login page",
		"/shop/jsonrpc":             "another path",
		"http://[::1":               "final address",
		strings.Repeat("/", 5) + "": "redirects",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusMovedPermanently)
		}))
		_, err := rpc.Dial(t.Context(), rpc.Config{URL: server.URL, Database: "shop", Username: "ada", Password: "secret"})
		server.Close()
		e := fault(t, err)
		require.Equal(t, adapter.InvalidArgument, e.Code, "the configuration is wrong")
		require.Equal(t, "url", e.Field)
		require.Contains(t, e.Message, want)
	}
}

func TestTLS(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	cfg := func(url string) rpc.Config {
		return rpc.Config{URL: url, Database: "shop", Username: "ada", Password: "secret"}
	}
	fail := func(cfg rpc.Config) *adapter.Error {
		_, err := rpc.Dial(t.Context(), cfg)
		return fault(t, err)
	}
	f := newFake(t, "17")
	secure := httptest.NewUnstartedServer(f)
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()

	e := fail(cfg(secure.URL))
	require.Equal(t, adapter.Unavailable, e.Code)
	require.True(t, e.NothingSent)
	require.Contains(t, e.Message, "certificate is not trusted")

	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	trusting := cfg(secure.URL)
	trusting.TLS = &tls.Config{RootCAs: pool}
	dial(t, trusting)

	other := trusting
	other.TLS = &tls.Config{RootCAs: pool, ServerName: "other.example"}
	require.Contains(t, fail(other).Message, "for another host")

	require.Contains(t, fail(cfg("https"+strings.TrimPrefix(f.URL, "http"))).Message, "begin the system's URL with http://")
	require.Contains(t, fail(cfg("http"+strings.TrimPrefix(secure.URL, "https"))).Message, "begin the system's URL with https://")

	old := httptest.NewUnstartedServer(f)
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	e = fail(cfg(old.URL))
	require.Equal(t, adapter.Unavailable, e.Code)
	require.Contains(t, e.Message, "TLS versions older than 1.2")
	require.True(t, e.NothingSent)

	// A server that takes the connection and says nothing.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	slow := cfg("https://" + silent.Addr().String())
	slow.Timeout = 100 * time.Millisecond
	e = fail(slow)
	require.Equal(t, adapter.Unavailable, e.Code)
	require.True(t, e.NothingSent)
	require.True(t, e.Temporary)
}

func TestControlDecidesWhatIsDialled(t *testing.T) {
	f := newFake(t, "17")
	var asked atomic.Int64
	cfg := f.config()
	cfg.Control = func(network, address string, c syscall.RawConn) error {
		asked.Add(1)
		require.Equal(t, strings.TrimPrefix(f.URL, "http://"), address, "the address after name resolution")
		return adapter.Errorf(adapter.PermissionDenied, "that network is off limits")
	}
	_, err := rpc.Dial(t.Context(), cfg)
	e := fault(t, err)
	require.Equal(t, adapter.PermissionDenied, e.Code)
	require.Equal(t, "that network is off limits", e.Message)
	require.True(t, e.NothingSent)
	require.NotZero(t, asked.Load())

	cfg.Control = func(string, string, syscall.RawConn) error { return errors.New("no") }
	_, err = rpc.Dial(t.Context(), cfg)
	require.Equal(t, adapter.Unavailable, fault(t, err).Code)
}

// A proxy that lets some interfaces through only.
func TestFallback(t *testing.T) {
	xml := func(f *fake) {
		version := `<methodResponse><params><param><value><struct><member><name>server_version</name><value>19.0</value></member><member><name>server_version_info</name><value><array><data><value><int>19</int></value><value><int>0</int></value></data></array></value></member></struct></value></param></params></methodResponse>`
		f.route("/xmlrpc/2/common", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), ">version<") {
				_, _ = io.WriteString(w, version)
				return
			}
			_, _ = io.WriteString(w, `<methodResponse><params><param><value><int>7</int></value></param></params></methodResponse>`)
		})
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/web/login", http.StatusSeeOther)
	}
	const json2 = "/json/2/res.users/context_get"
	tests := []struct {
		name    string
		version string
		key     bool
		closed  map[string]http.HandlerFunc
		want    string
	}{
		{"everything open, with a key", "19", true, nil, rpc.JSON2},
		{"everything open, without a key", "19", false, nil, rpc.JSONRPC},
		{"no JSON-2", "19", true, map[string]http.HandlerFunc{json2: page(404)}, rpc.JSONRPC},
		{"JSON-2 leads to a login page", "19", true, map[string]http.HandlerFunc{json2: redirect}, rpc.JSONRPC},
		{"RPC forbidden", "17", false, map[string]http.HandlerFunc{"/jsonrpc": page(403)}, rpc.Session},
		{"RPC not allowed", "17", false, map[string]http.HandlerFunc{"/jsonrpc": page(405)}, rpc.Session},
		{"RPC behind a single sign-on", "17", false, map[string]http.HandlerFunc{"/jsonrpc": redirect}, rpc.Session},
		{"RPC behind a password", "17", false, map[string]http.HandlerFunc{"/jsonrpc": page(401)}, rpc.Session},
		{"the web client closed", "17", false, map[string]http.HandlerFunc{"/web/webclient/version_info": page(404)}, rpc.JSONRPC},
		{"XML-RPC alone", "17", false, map[string]http.HandlerFunc{"/web/webclient/version_info": page(403), "/web/session/authenticate": page(403), "/jsonrpc": page(403)}, rpc.XMLRPC},
		{"JSON-2 alone", "19", true, map[string]http.HandlerFunc{"/web/webclient/version_info": page(403), "/web/session/authenticate": page(403), "/jsonrpc": page(403), "/xmlrpc/2/common": page(403)}, rpc.JSON2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, test.version)
			xml(f)
			for path, h := range test.closed {
				f.route(path, h)
			}
			cfg := f.config()
			if test.key {
				cfg.APIKey = "key"
				cfg.Password = ""
				if test.want == rpc.JSONRPC {
					cfg.APIKey = "secret" // as RPC's password
				}
			}
			c := dial(t, cfg)
			require.Equal(t, test.want, c.Transport())
			require.EqualValues(t, 7, c.UID())
			require.NoError(t, c.Ping(t.Context()))
		})
	}
	t.Run("nothing", func(t *testing.T) {
		f := newFake(t, "17")
		for _, path := range []string{"/web/webclient/version_info", "/jsonrpc", "/xmlrpc/2/common"} {
			f.route(path, page(403))
		}
		_, err := rpc.Dial(t.Context(), f.config())
		require.Equal(t, adapter.Unavailable, fault(t, err).Code)
		require.Contains(t, err.Error(), "403")
	})
	t.Run("a server that is down is asked once", func(t *testing.T) {
		f := newFake(t, "17")
		asked := 0
		f.route("/web/webclient/version_info", func(w http.ResponseWriter, r *http.Request) { asked++; page(503)(w, r) })
		_, err := rpc.Dial(t.Context(), f.config())
		require.Equal(t, adapter.Unavailable, fault(t, err).Code)
		require.True(t, fault(t, err).Temporary)
		require.Equal(t, 1, asked)
	})
	t.Run("forced", func(t *testing.T) {
		f := newFake(t, "17")
		f.route("/jsonrpc", page(403))
		cfg := f.config()
		cfg.Transport = rpc.JSONRPC
		_, err := rpc.Dial(t.Context(), cfg)
		require.Equal(t, adapter.Unavailable, fault(t, err).Code, "no other way is tried")
	})
}

// Of many callers whose session ended one logs in again; none notices.
func TestSessionIsRenewedOnce(t *testing.T) {
	f := newFake(t, "17")
	cfg := f.config()
	cfg.Transport = rpc.Session
	c := dial(t, cfg)
	for round := range 3 {
		f.endSession()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				got, err := c.Call(context.Background(), write)
				assert.NoError(t, err)
				assert.Equal(t, "true", string(got))
			})
		}
		wg.Wait()
		logins, calls := f.counts()
		require.Equal(t, round+2, logins)
		require.Equal(t, 20*(round+1), calls, "no call was made twice")
	}
}

func TestSessionThatNeverLasts(t *testing.T) {
	f := newFake(t, "17")
	cfg := f.config()
	cfg.Transport = rpc.Session
	c := dial(t, cfg)
	f.onCall(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, expired) })
	_, err := c.Call(t.Context(), read)
	require.Equal(t, adapter.Unavailable, fault(t, err).Code)
	logins, _ := f.counts()
	require.Equal(t, 2, logins)
}

// Odoo changes the cookie of a living session; the new one counts.
func TestSessionCookieIsRotated(t *testing.T) {
	f := newFake(t, "18")
	cfg := f.config()
	cfg.Transport = rpc.Session
	c := dial(t, cfg)
	f.onCall(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.session += "+"
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: f.session})
		f.mu.Unlock()
		_, _ = io.WriteString(w, result("true"))
	})
	for range 3 {
		_, err := c.Call(t.Context(), read)
		require.NoError(t, err)
	}
	logins, _ := f.counts()
	require.Equal(t, 1, logins)
}

func TestSecondFactor(t *testing.T) {
	f := newFake(t, "17")
	f.route("/web/session/authenticate", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, result(`{"uid": null}`))
	})
	cfg := f.config()
	cfg.Transport = rpc.Session
	_, err := rpc.Dial(t.Context(), cfg)
	e := fault(t, err)
	require.Equal(t, adapter.Unauthenticated, e.Code)
	require.Contains(t, e.Message, "two factors")
}

// A password that stops working is noticed by one login, however many calls
// are under way, and then remembered.
func TestPasswordThatStopsWorking(t *testing.T) {
	f := newFake(t, "17")
	c := dial(t, f.config())
	f.route("/jsonrpc", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"authenticate"`) {
			f.mu.Lock()
			f.logins++
			f.mu.Unlock()
			_, _ = io.WriteString(w, result("false"))
			return
		}
		_, _ = io.WriteString(w, denied)
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := c.Call(context.Background(), read)
			assert.Equal(t, adapter.Unauthenticated, adapter.CodeOf(err), "%v", err)
		})
	}
	wg.Wait()
	logins, _ := f.counts()
	require.Equal(t, 2, logins, "the first, and one more")
	_, err := c.Call(t.Context(), write)
	e := fault(t, err)
	require.Equal(t, adapter.Unauthenticated, e.Code)
	require.True(t, e.NothingSent)
	require.Positive(t, e.RetryAfter)
	require.LessOrEqual(t, e.RetryAfter, time.Minute)
	// So is a new connection with the same password, but not with another.
	_, err = rpc.Dial(t.Context(), f.config())
	require.True(t, fault(t, err).NothingSent)
	cfg := f.config()
	cfg.Password = "another"
	_, err = rpc.Dial(t.Context(), cfg)
	require.False(t, fault(t, err).NothingSent)
}

// A method may deny something for its own reasons: the connection stays.
func TestMethodThatDenies(t *testing.T) {
	f := newFake(t, "17")
	c := dial(t, f.config())
	f.onCall(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, denied) })
	_, err := c.Call(t.Context(), rpc.Call{Model: "res.users", Method: "change_password", Args: []any{"old", "new"}, Changes: true})
	require.Equal(t, adapter.PermissionDenied, fault(t, err).Code)
	f.onCall(nil)
	_, err = c.Call(t.Context(), read)
	require.NoError(t, err)
}

func TestClose(t *testing.T) {
	f := newFake(t, "17")
	c := dial(t, f.config())
	require.NoError(t, c.Close())
	_, err := c.Call(t.Context(), write)
	e := fault(t, err)
	require.Equal(t, adapter.Unavailable, e.Code)
	require.True(t, e.NothingSent)
	require.Equal(t, adapter.Unavailable, adapter.CodeOf(c.Ping(t.Context())))
}

func TestCallsThatAreNotSent(t *testing.T) {
	f := newFake(t, "17")
	c := dial(t, f.config())
	for _, test := range []struct {
		call rpc.Call
		code adapter.Code
	}{
		{rpc.Call{Model: "res.partner/../x", Method: "read"}, adapter.InvalidArgument},
		{rpc.Call{Model: "", Method: "read"}, adapter.InvalidArgument},
		{rpc.Call{Model: "res.partner", Method: ""}, adapter.InvalidArgument},
		{rpc.Call{Model: "res.partner", Method: "read?x"}, adapter.InvalidArgument},
		{rpc.Call{Model: "res.partner", Method: "_write"}, adapter.PermissionDenied},
		{rpc.Call{Model: "res.partner", Method: "read", Args: []any{make(chan int)}}, adapter.InvalidArgument},
		{rpc.Call{Model: "res.partner", Method: "read", Args: []any{json.RawMessage(`{`)}}, adapter.InvalidArgument},
		{rpc.Call{Model: "res.partner", Method: "create", Args: []any{adapter.Record{"name": "a\xff"}}}, adapter.InvalidArgument},
		{rpc.Call{Model: "res.partner", Method: "read", Kwargs: map[string]any{"context": map[string]any{"\xff": 1}}}, adapter.InvalidArgument},
	} {
		_, err := c.Call(t.Context(), test.call)
		e := fault(t, err)
		require.Equal(t, test.code, e.Code, "%+v", test.call)
		require.True(t, e.NothingSent)
	}
	_, calls := f.counts()
	require.Zero(t, calls)
}

func TestConfigs(t *testing.T) {
	good := rpc.Config{URL: "http://127.0.0.1:1", Database: "shop", Username: "ada", Password: "secret"}
	for field, spoil := range map[string]func(*rpc.Config){
		"url":       func(c *rpc.Config) { c.URL = "" },
		"database":  func(c *rpc.Config) { c.Database = "" },
		"password":  func(c *rpc.Config) { c.Password = "" },
		"username":  func(c *rpc.Config) { c.Username = "" },
		"transport": func(c *rpc.Config) { c.Transport = "soap" },
		"api_key":   func(c *rpc.Config) { c.Transport = rpc.JSON2 },
	} {
		cfg := good
		spoil(&cfg)
		_, err := rpc.Dial(t.Context(), cfg)
		e := fault(t, err)
		require.Equal(t, adapter.InvalidArgument, e.Code)
		require.Equal(t, field, e.Field)
		require.True(t, e.NothingSent)
	}
	for _, url := range []string{"127.0.0.1:8069", "ftp://x", "http://", "https://ada:secret@x", "http://%zz", "://"} {
		cfg := good
		cfg.URL = url
		_, err := rpc.Dial(t.Context(), cfg)
		require.Equal(t, "url", fault(t, err).Field, url)
	}
	f := newFake(t, "17")
	for _, tail := range []string{"", "/", "/web", "/web/login?db=shop", "/odoo/action-1", "/web#action=1", "/xmlrpc/2", "/jsonrpc", "?x=1"} {
		cfg := f.config()
		cfg.URL += tail
		require.Equal(t, f.URL, dial(t, cfg).Base())
	}
}

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		result, series string
		major          int
		code           adapter.Code
	}{
		{`{"server_version": "saas~17.4+e", "server_version_info": ["saas~17", 4, 0, "final", 0, "e"], "server_serie": "saas~17.4"}`, "saas~17.4", 17, ""},
		{`{"server_version": "20.0alpha1", "server_version_info": [20, 0, 0, "alpha", 1, ""]}`, "20.0", 20, ""},
		{`{"server_version": "12.0", "server_version_info": [12, 0, 0, "final", 0, ""], "server_serie": "12.0"}`, "", 0, adapter.Unsupported},
		{`{"server_version": "17.0"}`, "", 0, adapter.Unavailable},
		{`"17.0"`, "", 0, adapter.Unavailable},
	} {
		f := newFake(t, "17")
		f.route("/web/webclient/version_info", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, result(test.result)) })
		f.route("/jsonrpc", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), `"version"`) {
				page(404)(w, r)
				return
			}
			_, _ = io.WriteString(w, result("7"))
		})
		c, err := rpc.Dial(t.Context(), f.config())
		if test.code != "" {
			code := fault(t, err).Code
			if code == adapter.InvalidArgument { // the URL leads to something else
				code = adapter.Unavailable
			}
			require.Equal(t, test.code, code, "%s: %v", test.result, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.series, c.Version().Series)
		require.Equal(t, test.major, c.Version().Major)
		require.NoError(t, c.Close())
	}
}

// A change of which the server got a part only: it may have been all of it.
func TestHalfSentChange(t *testing.T) {
	f := newFake(t, "17")
	cfg := f.config()
	cfg.Timeout = 300 * time.Millisecond
	c := dial(t, cfg)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.route("/jsonrpc", func(w http.ResponseWriter, r *http.Request) { <-release }) // reads no body
	large := write
	large.Args = []any{[]int{1}, map[string]any{"comment": strings.Repeat("x", 32<<20)}}
	_, err := c.Call(t.Context(), large)
	e := fault(t, err)
	require.Equal(t, adapter.UnknownOutcome, e.Code)
	require.False(t, e.NothingSent)
}
