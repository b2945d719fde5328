package main

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
)

// Servers over one Redis count failed logins in it under the same names, with
// the rate limits off too. What follows from that is tested in package auth.
func TestServersCountLoginsInRedis(t *testing.T) {
	redis := miniredis.RunT(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits for hashes; the tries count before
	var names []string
	for _, limits := range []string{"true", "false"} {
		p := newProgram(t, "ENVIRONMENT=development", "REDIS_URL=redis://"+redis.Addr(), "RATE_LIMIT_ENABLED="+limits, "JWT_SECRET_KEY=0123456789abcdef0123456789abcdef")
		w := world{environ: p.environ, stderr: t.Output()}
		c, err := w.config()
		require.NoError(t, err)
		_, err = c.FillSecrets()
		require.NoError(t, err)
		s, err := assemble(t.Context(), c, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(s.close)
		assert.Equal(t, limits == "true", s.limits.Limiter != nil)

		redis.FlushAll()
		try := 0
		// On a busy machine a Redis that is there may count as away.
		require.Eventually(t, func() bool {
			try++
			_, err := s.auth.Login(ctx, "admin", "guess", auth.Client{Address: "192.0.2." + strconv.Itoa(try)})
			assert.Error(t, err)
			for _, key := range redis.Keys() {
				if name, is := strings.CutPrefix(key, "bridgecore:limit:login account "); is {
					names = append(names, name)
					return true
				}
			}
			return false
		}, time.Minute, 200*time.Millisecond)
	}
	require.Len(t, names, 2)
	assert.Equal(t, names[0], names[1])
}
