package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// watched calls a function once, when the first event was written.
type watched struct {
	*httptest.ResponseRecorder

	first func()
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(b)
	if first := w.first; first != nil && strings.Contains(string(b), "event: ") {
		w.first = nil
		first()
	}
	return n, err
}

// A stream goes on when the time is over that a request has for its answer, also
// where the token has to be looked at anew then.
func TestEventsOutliveTheRequestsDeadline(t *testing.T) {
	s := storetest.Open(t)
	tenant, err := s.EnsureTenant(t.Context(), "acme")
	require.NoError(t, err)
	user := store.User{TenantID: tenant.ID, Username: "clerk", PasswordHash: "-", Role: store.Plain, IsActive: true}
	require.NoError(t, s.CreateUser(t.Context(), &user))
	user.Tenant = &tenant
	who := auth.New(s, auth.Config{Key: vault.NewSecret("canary-signing-key-0123456789abcdef")})
	grant, err := who.Open(user)
	require.NoError(t, err)
	op := store.Operation{ID: "one", TenantID: tenant.ID, UserID: user.ID, Username: user.Username, Kind: kindBatch}
	require.NoError(t, s.CreateOperation(t.Context(), &op))

	a := &API{Config: Config{Store: s, Auth: who, Log: slog.New(slog.DiscardHandler)}}
	e := echo.New()
	e.GET("/:operation_id", a.followOperation)
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &watched{ResponseRecorder: httptest.NewRecorder()}
	c := &call{ResponseWriter: w, start: time.Now()}
	c.parent, c.at = parent, time.Now().Add(time.Hour)
	w.first = func() {
		c.end()
		who.Changed()
		assert.NoError(t, s.CancelOperation(t.Context(), op.ID, time.Hour))
	}
	r := httptest.NewRequestWithContext(c, http.MethodGet, "/one", nil)
	r.Header.Set("Authorization", "Bearer "+grant.AccessToken)
	c.request = r
	e.ServeHTTP(c, r)
	assert.Contains(t, w.Body.String(), "event: cancelled")
}
