package odoo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// The languages are those that are active, over every transport, and 18.0 and
// later refuse the others.
func TestLanguages(t *testing.T) {
	for _, version := range []string{"13.0", "17.0", "18.0", "19.0"} {
		for _, transport := range transportsOf(version) {
			t.Run(version+" "+transport, func(t *testing.T) {
				srv := odootest.New(t, version)
				for code, active := range map[string]bool{"ar_001": true, "fr_FR": false} {
					_, err := srv.Create("res.lang", map[string]any{"name": code, "code": code, "active": active})
					require.NoError(t, err)
				}
				c := dial(t, simulated(srv, transport))
				codes, err := adapter.Languages(t.Context(), c)
				require.NoError(t, err)
				assert.ElementsMatch(t, []string{"en_US", "ar_001"}, codes)

				for _, code := range []string{"ar_001", "fr_FR"} {
					_, err := adapter.Count(adapter.WithScope(t.Context(), adapter.Scope{Language: code}), c, "res.partner", nil)
					if code == "fr_FR" && version >= "18.0" {
						require.ErrorIs(t, err, adapter.ErrInvalidArgument)
						continue
					}
					require.NoError(t, err)
				}
			})
		}
	}
}
