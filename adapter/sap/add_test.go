package sap_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

func TestAdd(t *testing.T) {
	srv := saptest.New(t)
	c := dial(t, simulated(srv))
	partner, err := c.Create(t.Context(), "A_BusinessPartner", adapter.Record{"BusinessPartnerCategory": "2", "OrganizationBPName1": "Azure", "BusinessPartnerGrouping": "BP02"})
	require.NoError(t, err)
	address, err := c.Add(t.Context(), "A_BusinessPartner", partner, "to_BusinessPartnerAddress", adapter.Record{
		"CityName": "Riyadh", "Country": "SA", "to_EmailAddress": []any{map[string]any{"EmailAddress": "a@example.com"}},
	})
	require.NoError(t, err)
	_, err = c.Add(t.Context(), "A_BusinessPartnerAddress", address, "to_PhoneNumber", adapter.Record{"PhoneNumber": "123"})
	require.NoError(t, err)
	page, err := c.Query(t.Context(), adapter.Query{
		Model: "A_BusinessPartner", Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: partner.Value()},
		Fields: []string{"to_BusinessPartnerAddress.CityName", "to_BusinessPartnerAddress.to_EmailAddress.EmailAddress", "to_BusinessPartnerAddress.to_PhoneNumber.PhoneNumber"},
	})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	list, _ := page.Records[0]["to_BusinessPartnerAddress"].([]any)
	require.Len(t, list, 1)
	got, _ := list[0].(map[string]any)
	assert.Equal(t, "Riyadh", got["CityName"])
	assert.Contains(t, got["to_EmailAddress"].([]any)[0], "EmailAddress")
	assert.Equal(t, "123", got["to_PhoneNumber"].([]any)[0].(map[string]any)["PhoneNumber"])

	for _, bad := range []struct {
		relation string
		id       adapter.ID
		values   adapter.Record
		want     error
	}{
		{"to_Nowhere", partner, adapter.Record{}, adapter.ErrInvalidArgument},
		{"to_Customer", partner, adapter.Record{}, adapter.ErrUnsupported},
		{"to_BusinessPartnerAddress", partner, adapter.Record{"Nonsense": 1}, adapter.ErrInvalidArgument},
		{"to_BusinessPartnerAddress", adapter.StringID("999999999"), adapter.Record{"Country": "SA"}, adapter.ErrNotFound},
	} {
		_, err := c.Add(t.Context(), "A_BusinessPartner", bad.id, bad.relation, bad.values)
		assert.ErrorIs(t, err, bad.want, bad.relation)
	}
}
