package bridge

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// store is a bridge over a (simulated) Odoo.
func barcodeRig(t *testing.T, c odoo.Config) *System {
	t.Helper()
	r := build(t, func(bc *Config) {
		bc.Openers = map[string]Opener{"odoo": func(ctx context.Context, _ SystemConfig) (adapter.Adapter, error) {
			return odoo.Dial(ctx, c)
		}}
	}, SystemConfig{Tenant: "t", ID: "odoo", Kind: "odoo"})
	sys, err := r.System(t.Context(), Caller{Tenant: "t", User: "u"}, "odoo")
	require.NoError(t, err)
	return sys
}

func must(t *testing.T, sys *System, model string, values adapter.Record) adapter.ID {
	t.Helper()
	made, err := sys.Create(t.Context(), model, values)
	require.NoError(t, err, model)
	id, _ := adapter.IDOf(made["id"])
	t.Cleanup(func() { _ = sys.Delete(context.WithoutCancel(t.Context()), model, []adapter.ID{id}) })
	return id
}

func TestFindBarcode(t *testing.T) {
	for _, version := range []string{"13.0", "15.0", "17.0", "18.0", "19.0"} {
		t.Run(version, func(t *testing.T) {
			srv := odootest.New(t, version)
			sys := barcodeRig(t, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password})
			findBarcodes(t, sys, version)
		})
	}
}

// TestFindBarcodeReal does the same on an Odoo of your own.
func TestFindBarcodeReal(t *testing.T) {
	url := os.Getenv("BRIDGECORE_ODOO_URL")
	if url == "" {
		t.Skip("BRIDGECORE_ODOO_URL names no Odoo")
	}
	sys := barcodeRig(t, odoo.Config{
		URL: url, Database: os.Getenv("BRIDGECORE_ODOO_DATABASE"),
		Username: os.Getenv("BRIDGECORE_ODOO_USERNAME"), Password: os.Getenv("BRIDGECORE_ODOO_PASSWORD"),
	})
	version, err := sys.systemVersion(t.Context())
	require.NoError(t, err)
	findBarcodes(t, sys, version)
}

func findBarcodes(t *testing.T, sys *System, version string) {
	t.Helper()
	ctx := t.Context()
	id := must(t, sys, "product.product", adapter.Record{"name": "Water 1 l", "barcode": "0036000291452", "default_code": "WATER", "lst_price": json.Number("9.99")})
	tea := must(t, sys, "product.product", adapter.Record{"name": "Tea", "barcode": "9506000134352"})

	for _, scanned := range []string{"0036000291452", "036000291452", "(01)00036000291452(17)271231"} {
		got, err := sys.FindBarcode(ctx, scanned)
		require.NoError(t, err, scanned)
		require.NotNil(t, got.Product, scanned)
		assert.Equal(t, id, got.Product.ID, scanned)
		assert.Equal(t, "Water 1 l", got.Product.Name)
		assert.Equal(t, "WATER", got.Product.Code)
		if assert.NotNil(t, got.Product.Price) {
			f, _ := got.Product.Price.Float64()
			assert.InDelta(t, 9.99, f, 0.001)
		}
		if assert.NotNil(t, got.Product.Quantity) {
			f, _ := got.Product.Quantity.Float64()
			assert.Zero(t, f)
		}
		assert.Nil(t, got.Packaging)
	}
	got, err := sys.FindBarcode(ctx, "(01)09506000134352(30)12")
	require.NoError(t, err)
	assert.Equal(t, tea, got.Product.ID)
	assert.Equal(t, json.Number("12"), got.Quantity)

	_, err = sys.FindBarcode(ctx, "6281000000120")
	require.ErrorIs(t, err, adapter.ErrNotFound)
	assert.Contains(t, err.Error(), "6281000000120")
	_, err = sys.FindBarcode(ctx, "6281000000123")
	require.ErrorIs(t, err, adapter.ErrNotFound)
	assert.Contains(t, err.Error(), "check digit")
	_, err = sys.FindBarcode(ctx, " ")
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	_, err = sys.FindBarcode(ctx, `x"] or [("id",">",0`)
	require.ErrorIs(t, err, adapter.ErrNotFound)

	found, err := sys.FindProducts(ctx, "WATER", 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, id, found[0].ID)
	_, err = sys.FindProducts(ctx, " ", 10)
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)

	findPackaging(t, sys, version, tea)
	findLot(t, sys, version, tea)
	findLocation(t, sys)
}

// findPackaging needs a system that has packagings, which the simulated ones
// lack from 19.0 on.
func findPackaging(t *testing.T, sys *System, version string, product adapter.ID) {
	t.Helper()
	model, values := "product.packaging", adapter.Record{"name": "Carton", "product_id": product.Value(), "qty": 24, "barcode": "19506000134359"}
	if version >= "19" {
		units, err := sys.Read(t.Context(), Reading{Query: adapter.Query{Model: "uom.uom", Fields: []string{"name"}, Filter: adapter.Cond{Field: "name", Op: adapter.In, Value: []any{"Dozens", "Pack of 6"}}, Limit: 1}})
		require.NoError(t, err)
		records, err := units.Records()
		require.NoError(t, err)
		if len(records) == 0 {
			t.Log("there is no such unit: packagings were not tried")
			return
		}
		model, values = "product.uom", adapter.Record{"product_id": product.Value(), "uom_id": records[0].ID().Value(), "barcode": "19506000134359"}
	}
	made, err := sys.Create(t.Context(), model, values)
	if err != nil {
		t.Logf("packagings were not tried: %v", err)
		return
	}
	id, _ := adapter.IDOf(made["id"])
	t.Cleanup(func() { _ = sys.Delete(context.WithoutCancel(t.Context()), model, []adapter.ID{id}) })
	got, err := sys.FindBarcode(t.Context(), "19506000134359")
	require.NoError(t, err)
	require.NotNil(t, got.Packaging)
	assert.Equal(t, id, got.Packaging.ID)
	require.NotNil(t, got.Product)
	assert.Equal(t, product, got.Product.ID)
	f, _ := got.Quantity.Float64()
	assert.Contains(t, []float64{24, 12, 6}, f)
}

func findLot(t *testing.T, sys *System, version string, product adapter.ID) {
	t.Helper()
	model := "stock.lot"
	if version < "16" {
		model = "stock.production.lot"
	}
	must := func() (adapter.ID, bool) {
		made, err := sys.Create(t.Context(), model, adapter.Record{"name": "LOT-77", "product_id": product.Value(), "company_id": 1})
		if err != nil {
			t.Logf("lots were not tried: %v", err)
			return adapter.ID{}, false
		}
		id, _ := adapter.IDOf(made["id"])
		t.Cleanup(func() { _ = sys.Delete(context.WithoutCancel(t.Context()), model, []adapter.ID{id}) })
		return id, true
	}
	id, ok := must()
	if !ok {
		return
	}
	for _, scanned := range []string{"LOT-77", "(01)09506000134352(10)LOT-77", "(21)LOT-77"} {
		got, err := sys.FindBarcode(t.Context(), scanned)
		require.NoError(t, err, scanned)
		require.NotNil(t, got.Lot, scanned)
		assert.Equal(t, adapter.Ref{ID: id, Name: "LOT-77"}, *got.Lot)
		require.NotNil(t, got.Product)
		assert.Equal(t, product, got.Product.ID)
	}
}

func findLocation(t *testing.T, sys *System) {
	t.Helper()
	id := must(t, sys, "stock.location", adapter.Record{"name": "Shelf 7", "barcode": "LOC-SHELF-7"})
	got, err := sys.FindBarcode(t.Context(), "LOC-SHELF-7")
	require.NoError(t, err)
	require.NotNil(t, got.Location)
	assert.Equal(t, id, got.Location.ID)
	assert.Contains(t, got.Location.Name, "Shelf 7")
	assert.Nil(t, got.Product)
}
