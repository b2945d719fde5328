package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/live"
)

// redisServer is a Redis of the test's own, on a socket.
type redisServer struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
}

func (r *redisServer) start() {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", r.path, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(r.path)) //nolint:noctx,gosec // it is killed
	require.NoError(r.t, r.cmd.Start())
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: r.path, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	require.Eventually(r.t, func() bool { return client.Ping(context.Background()).Err() == nil }, patience, 5*time.Millisecond)
}

func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// A real Redis is killed and comes back empty, several times, while events are
// published at two servers. Whoever listens hears each event, or that some were
// missed; the numbers rise; and afterwards the servers are one again. (That
// nothing is left running is what TestMain looks at.)
func TestRedisIsKilledAndComesBack(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("SKIPPED: no redis-server on this machine; .ci/with-services installs it")
	}
	r := &redisServer{t: t, path: filepath.Join(t.TempDir(), "redis.sock")}
	r.start()
	t.Cleanup(r.kill)
	config := live.Config{RedisURL: "unix://" + r.path, Queue: 1 << 20, Keep: 1 << 16, Log: slog.New(slog.DiscardHandler)}
	a, b := newHub(t, config), newHub(t, config)
	onA, onB := join(t, a, "1", 0, live.Operations), join(t, b, "1", 0, live.Operations)
	sent := 0
	send := func(h *live.Hub, n int) (from int) {
		from = sent + 1
		for range n {
			sent++
			publish(h, sent)
		}
		return from
	}
	for range 3 {
		send(a, 50)
		send(b, 50)
		r.kill()
		send(a, 50)
		send(b, 50)
		r.start()
		// They are one again when what one is told is heard, numbered, at the
		// other.
		for _, way := range []struct {
			from *live.Hub
			to   *listener
		}{{a, onB}, {b, onA}} {
			heard := make(chan error, 1)
			marker := send(way.from, 1)
			go func() { heard <- way.to.until(marker) }()
		again:
			for {
				select {
				case err := <-heard:
					require.NoError(t, err)
					break again
				case <-time.After(50 * time.Millisecond):
					send(way.from, 1)
				}
			}
		}
	}
	onA.s.Leave()
	onB.s.Leave()
}

// until reads until an event at or after one is heard with a number. Between
// events that follow one another nothing may be missing unless "resync" says so.
func (l *listener) until(marker int) error {
	for {
		m, err := l.message()
		if err != nil {
			return err
		}
		var v struct {
			Type string
			Data struct{ Progress int }
		}
		if err := json.Unmarshal(m.Body, &v); err != nil {
			return err
		}
		if v.Type == "resync" {
			l.resynced = true
		}
		if v.Type != "notification" {
			continue
		}
		if m.Number > 0 && m.Number <= l.last {
			return errors.New("numbers go back")
		}
		l.last = max(l.last, m.Number)
		if m.Number > 0 && v.Data.Progress >= marker {
			if !l.resynced {
				return errors.New("what was told at the other server while Redis was away is missing, and nobody said so")
			}
			l.resynced = false
			return nil
		}
	}
}
