package standard

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

// The simulated systems have what the mappings name, as their adapters describe
// it, so that whoever tries the mappings on them meets no gap of the simulator's.
func TestSimulatorsHaveTheFields(t *testing.T) {
	t.Run("sap", func(t *testing.T) {
		srv := saptest.New(t)
		client, err := sap.Dial(t.Context(), sap.Config{URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: srv.Client, Services: services(srv)})
		require.NoError(t, err)
		checkAll(t, "sap", 0, described(t, client))
	})
	t.Run("salesforce", func(t *testing.T) {
		srv := salesforcetest.New(t)
		client, err := salesforce.Dial(t.Context(), salesforce.Config{URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret})
		require.NoError(t, err)
		checkAll(t, "salesforce", 0, described(t, client))
	})
}

// services are the simulator's own, by name and path.
func services(srv *saptest.Server) []sap.Service {
	var list []sap.Service
	for name, path := range srv.Services() {
		list = append(list, sap.Service{Name: name, Path: path})
	}
	return list
}

// described is what an adapter's schemas say.
func described(t *testing.T, a adapter.Adapter) system {
	t.Helper()
	t.Cleanup(func() { _ = a.Close() })
	kinds := map[adapter.FieldType]string{
		adapter.Char: "text", adapter.Text: "text", adapter.HTML: "text", adapter.Integer: "number", adapter.Float: "number", adapter.Monetary: "number", adapter.Many2One: "one", adapter.One2Many: "many", adapter.Many2Many: "many",
	}
	models := map[string]map[string]field{}
	return func(model string) map[string]field {
		if fields, ok := models[model]; ok {
			return fields
		}
		schema, err := a.Schema(context.WithoutCancel(t.Context()), model)
		require.NoError(t, err, model)
		fields := map[string]field{}
		for name, f := range schema.Fields {
			kind := string(f.Type)
			if k, ok := kinds[f.Type]; ok {
				kind = k
			}
			if f.Type == adapter.Many2One && strings.HasSuffix(name, "Id") {
				kind = "text" // Salesforce's references read as bare ids
			}
			// Selections of the systems are open: they name what a new org has.
			fields[name] = field{kind: kind, relation: f.Relation, noCreate: f.Readonly, noUpdate: f.Readonly}
		}
		models[model] = fields
		return fields
	}
}
