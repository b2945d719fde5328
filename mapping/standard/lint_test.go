package standard

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

// accepted are findings that stay, by a part of their text, each with its reason.
var accepted = map[string]string{
	"order_id: SalesOrder of API_SALES_ORDER_SRV.A_SalesOrderItem can't be written": "new lines are posted to the navigation property of their order, which SAP's metadata does not say of the key",
}

// Nothing speaks against the standard mappings but what is accepted, with the
// schemas of Odoo's versions and those of the simulated systems.
func TestLint(t *testing.T) {
	used := map[string]bool{}
	for _, f := range Set().Lint(lintSchemas(t)) {
		fine := false
		for part := range accepted {
			if strings.Contains(f.String(), part) {
				fine, used[part] = true, true
			}
		}
		assert.True(t, fine, "%s (%s %s %s)", f, f.System, f.Version, f.Field)
	}
	for part, reason := range accepted {
		assert.True(t, used[part], "nothing says %q any more (accepted since %s)", part, reason)
	}
}

func lintSchemas(t *testing.T) func(system, version, model string) *adapter.Schema {
	t.Helper()
	sapServer := saptest.New(t)
	sapClient, err := sap.Dial(t.Context(), sap.Config{URL: sapServer.URL, Username: sapServer.Username, Password: sapServer.Password, Client: sapServer.Client, Services: services(sapServer)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = sapClient.Close() })
	salesforceServer := salesforcetest.New(t)
	salesforceClient, err := salesforce.Dial(t.Context(), salesforce.Config{URL: salesforceServer.URL, ClientID: salesforceServer.ClientID, ClientSecret: salesforceServer.ClientSecret})
	require.NoError(t, err)
	t.Cleanup(func() { _ = salesforceClient.Close() })
	live := map[string]adapter.Adapter{"sap": sapClient, "salesforce": salesforceClient}
	return func(system, version, model string) *adapter.Schema {
		if a, ok := live[system]; ok {
			s, err := a.Schema(context.WithoutCancel(t.Context()), model)
			require.NoError(t, err, model)
			return s
		}
		major, _ := strconv.Atoi(strings.TrimSuffix(version, ".0"))
		known := schemas.Fields(model, major)
		if known == nil {
			return nil
		}
		s := &adapter.Schema{Model: model, Fields: map[string]adapter.Field{}}
		for name, f := range known {
			field := adapter.Field{Type: adapter.FieldType(f.Type), Relation: f.Relation, Inverse: f.Inverse, Required: f.Required, Readonly: f.Readonly && !f.Stored, Stored: f.Stored, Searchable: f.Searchable, Sortable: f.Sortable}
			for _, key := range f.Selection {
				field.Selection = append(field.Selection, adapter.Option{Value: key})
			}
			s.Fields[name] = field
		}
		return s
	}
}
