package httpapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// A new operation that may change something is closed to viewers unless it says
// otherwise.
func TestWhatARoutePermits(t *testing.T) {
	for name, tc := range map[string]struct {
		route route
		least store.Role
	}{
		"a read":             {route{method: http.MethodGet}, store.Viewer},
		"a change":           {route{method: http.MethodPost}, store.Plain},
		"a deletion":         {route{method: http.MethodDelete}, store.Plain},
		"a POST that reads":  {route{method: http.MethodPost, reads: true}, store.Viewer},
		"one's own":          {route{method: http.MethodPatch, own: true}, store.Viewer},
		"what bridge checks": {route{method: http.MethodPost, mixed: true}, store.Viewer},
		"an operator's":      {route{method: http.MethodGet, operator: true}, store.Operator},
	} {
		for _, role := range store.Roles {
			err := tc.route.permits(&auth.Identity{Role: role})
			if role.Includes(tc.least) {
				assert.NoError(t, err, "%s as %s", name, role)
			} else {
				assert.ErrorIs(t, err, adapter.ErrPermissionDenied, "%s as %s", name, role)
			}
		}
	}
}
