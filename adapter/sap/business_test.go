package sap_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

// The standard APIs: a partner, an order of his with its items by deep insert,
// and files with the order.
func TestStandardAPIs(t *testing.T) {
	srv := saptest.New(t)
	c := simulated(srv)
	c.Services = nil // those of S/4HANA
	client := dial(t, c)
	ctx := t.Context()

	partner, err := client.Create(ctx, "A_BusinessPartner", adapter.Record{
		"BusinessPartnerCategory": "2", "OrganizationBPName1": "O'Neill & Sons", "BusinessPartnerGrouping": "BP02",
		"to_BusinessPartnerAddress": []any{map[string]any{"Country": "DE", "CityName": "Walldorf", "Language": "EN"}},
	})
	require.NoError(t, err)
	page, err := client.Query(ctx, adapter.Query{
		Model:  "API_BUSINESS_PARTNER.A_BusinessPartner",
		Filter: adapter.Cond{Field: "OrganizationBPName1", Op: adapter.Equal, Value: "O'Neill & Sons"},
		Fields: []string{"OrganizationBPName1", "to_BusinessPartnerAddress.CityName"},
	})
	require.NoError(t, err)
	require.NotEmpty(t, page.Records)
	last := page.Records[len(page.Records)-1]
	assert.Equal(t, partner, last.ID())
	assert.Equal(t, "Walldorf", last["to_BusinessPartnerAddress"].([]any)[0].(map[string]any)["CityName"])

	products, err := client.Query(ctx, adapter.Query{Model: "API_PRODUCT_SRV.A_Product", Fields: []string{"Product"}, Limit: 2})
	require.NoError(t, err)
	require.Len(t, products.Records, 2)
	customers, err := client.Query(ctx, adapter.Query{Model: "API_SALES_ORDER_SRV.A_SalesOrder", Fields: []string{"SoldToParty", "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SalesOrderType"}, Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, customers.Records)
	like := customers.Records[0]
	order := adapter.Record{"to_Item": []any{
		map[string]any{"Material": products.Records[0]["Product"], "RequestedQuantity": "2"},
		map[string]any{"Material": products.Records[1]["Product"], "RequestedQuantity": "1.5"},
	}}
	for _, name := range []string{"SoldToParty", "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SalesOrderType"} {
		order[name] = like[name]
	}
	id, err := client.Create(ctx, "API_SALES_ORDER_SRV.A_SalesOrder", order)
	require.NoError(t, err)
	page, err = client.Query(ctx, adapter.Query{
		Model: "API_SALES_ORDER_SRV.A_SalesOrder", Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: id.Value()},
		Fields: []string{"SoldToParty", "to_Item.Material", "to_Item.RequestedQuantity"},
	})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	assert.Len(t, page.Records[0]["to_Item"], 2)

	content := "%PDF-1.4 \x00\xff"
	file, err := client.Attach(ctx, adapter.Attachment{Name: "naïve “order”.pdf", MIMEType: "application/pdf", Model: "API_SALES_ORDER_SRV.A_SalesOrder", RecordID: id}, strings.NewReader(content))
	require.NoError(t, err)
	list, err := client.Attachments(ctx, "API_SALES_ORDER_SRV.A_SalesOrder", id)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, file.ID, list[0].ID)
	assert.Equal(t, "naïve “order”.pdf", list[0].Name)
	info, r, err := client.OpenAttachment(ctx, file.ID)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Equal(t, content, string(got))
	assert.Equal(t, "application/pdf", info.MIMEType)

	_, err = client.Attach(ctx, adapter.Attachment{Name: "x", Model: "API_MATERIAL_STOCK_SRV.A_MatlStkInAcctMod", RecordID: adapter.StringID("1")}, strings.NewReader("x"))
	assert.Error(t, err)
	c.MaxAttachment = 3
	_, err = dial(t, c).Attach(ctx, adapter.Attachment{Name: "x", Model: "API_SALES_ORDER_SRV.A_SalesOrder", RecordID: id}, strings.NewReader("four"))
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

func TestPartOfTheServicesMissing(t *testing.T) {
	srv := saptest.New(t)
	c := simulated(srv)
	c.Services = append([]sap.Service{{Name: "API_NOT_THERE"}}, c.Services...)
	client := dial(t, c)
	_, err := client.Schema(t.Context(), "API_NOT_THERE.A_Thing")
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = client.Schema(t.Context(), "A_Product")
	assert.NoError(t, err, "a bare name, in the services that are there")
	_, err = client.Schema(t.Context(), "Samples")
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument, "two services have it")
	assert.ErrorContains(t, err, "ZSAMPLE_SRV.Samples")
	_, err = client.Schema(t.Context(), "A_Produkt")
	assert.ErrorIs(t, err, adapter.ErrNotFound)

	c.Services = c.Services[:1]
	_, err = sap.Dial(t.Context(), c)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	assert.ErrorContains(t, err, "API_NOT_THERE")
}

func TestLanguageOfTheScope(t *testing.T) {
	srv := saptest.New(t)
	client := dial(t, simulated(srv))
	srv.SetFault(saptest.Fault{Contains: "sap-language=DE", Status: http.StatusTeapot})
	_, err := client.Query(t.Context(), adapter.Query{Model: model, Limit: 1})
	require.NoError(t, err)
	ctx := adapter.WithScope(t.Context(), adapter.Scope{Language: "de_DE"})
	_, err = client.Query(ctx, adapter.Query{Model: model, Limit: 1})
	assert.Error(t, err)
	srv.SetFault()
	_, err = client.Query(ctx, adapter.Query{Model: model, Limit: 1})
	assert.NoError(t, err)
}
