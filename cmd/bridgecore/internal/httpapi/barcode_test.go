package httpapi_test

import (
	"bytes"
	"image/png"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

func TestBarcodePictures(t *testing.T) {
	e := newEnv(t)
	get := func(query string) answer { return e.send("clerk", http.MethodGet, "/api/v1/barcode/image?"+query, "") }
	a := get("text=6281000000120")
	require.Equal(t, 200, a.status, string(a.body))
	assert.Equal(t, "image/png", a.header.Get("Content-Type"))
	img, err := png.Decode(bytes.NewReader(a.body))
	require.NoError(t, err)
	assert.Equal(t, (95+20)*3, img.Bounds().Dx())
	a = get("text=%3Cscript%3E&symbology=qr&format=svg")
	require.Equal(t, 200, a.status, string(a.body))
	assert.Equal(t, "image/svg+xml", a.header.Get("Content-Type"))
	assert.NotContains(t, string(a.body), "<script>")
	for _, bad := range []string{"", "text=6281000000123&symbology=ean", "text=x&symbology=morse", "text=x&scale=1000", "text=x&height=1", "text=" + "%D9%86"} {
		assert.Equal(t, 422, get(bad).status, bad)
	}
	assert.Equal(t, 401, e.send("", http.MethodGet, "/api/v1/barcode/image?text=x", "").status)
}

func TestBarcodesOfOneTenantAlone(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "odoo", odootest.New(t, "17.0"))
	for _, path := range []string{"lookup?barcode=1&system_id=odoo", "search?q=x&system_id=odoo"} {
		assert.Equal(t, 404, e.send("rival", http.MethodGet, "/api/v1/barcode/"+path, "").status, path)
		assert.Equal(t, 422, e.send("clerk", http.MethodGet, "/api/v1/barcode/lookup?system_id=odoo", "").status)
	}
	assert.Equal(t, 404, e.send("rival", http.MethodPost, "/api/v1/barcode/scan", `{"barcode":"1","system_id":"odoo"}`).status)
	assert.Equal(t, 422, e.send("clerk", http.MethodPost, "/api/v1/barcode/scan", `{"barcode":"1","system_id":"odoo","action":"add_to_cart"}`).status, "nothing that is not done")
}
