package sap_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

// samples are the services of the simulator with a field of each type.
func samples(srv *saptest.Server) []sap.Service {
	paths := srv.Services()
	return []sap.Service{{Name: "ZSAMPLE_SRV"}, {Name: "zsample", Path: paths["zsample"]}}
}

// simulated is the configuration for a simulated system.
func simulated(srv *saptest.Server) sap.Config {
	return sap.Config{
		URL: srv.URL, Username: srv.Username, Password: srv.Password, Client: srv.Client, Language: "EN",
		Version: "S/4HANA 2023", Services: append(sap.DefaultServices(), samples(srv)...),
	}
}

func dial(tb testing.TB, c sap.Config) *sap.Client {
	tb.Helper()
	client, err := sap.Dial(context.WithoutCancel(tb.Context()), c)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// harness says what the conformance suite may use of the samples.
func harness(t *testing.T, c sap.Config, service string) adaptertest.Harness {
	t.Helper()
	return adaptertest.Harness{
		Adapter: dial(t, c),
		Model:   service + ".Samples",
		Text:    "Name", OptionalText: "Code", Integer: "Count", Float: "Ratio", Boolean: "Flag", Date: "Day", DateTime: "Moment",
		// A truth value that was never set is null in these services.
		Values: func() adapter.Record { return adapter.Record{"Flag": false} },
		Nest:   &adaptertest.Nesting{Lines: "Children", LineText: "Name"},
		Lines:  "Children", LineModel: service + ".Samples", LineInverse: "ParentID",
		LineValues: func() adapter.Record { return adapter.Record{"Name": "line"} },
		Readonly:   "CreatedBy",
		Upsert:     upserts(),
		Integers:   []string{"0", "1", "-1", "1000000", "2147483647", "-2147483648"},
		Decimals:   []string{"0", "0.5", "-1.25", "10.1", "123456.75", "123456789012.3456"},
		Call:       &adapter.Call{Model: service, Method: "Add", Kwargs: map[string]any{"A": 1, "B": 2}},
	}
}

// upserts are keys of samples that nobody else uses.
func upserts() func(name string) (string, string) {
	mark := rand.Text()[:8]
	return func(name string) (string, string) { return "SampleID", mark + name[:1] }
}

func TestConformance(t *testing.T) {
	// Its clock is not ours.
	now := func() time.Time { return time.Now().Add(-7 * time.Hour) }
	srv := saptest.NewServer(saptest.Config{Now: now})
	t.Cleanup(srv.Close)
	for _, service := range []string{"ZSAMPLE_SRV", "zsample"} {
		require.NoError(t, srv.Handle(service, "Add", func(c *saptest.Call) (any, error) {
			return c.Params["A"].(int64) + c.Params["B"].(int64), nil
		}))
	}
	for _, service := range []string{"ZSAMPLE_SRV", "zsample"} {
		t.Run(service, func(t *testing.T) {
			adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
				t.Helper()
				h := harness(t, simulated(srv), service)
				h.Now = now
				return h
			})
		})
	}
}
