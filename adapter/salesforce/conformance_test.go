package salesforce_test

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// simulated is the configuration for a simulated organization.
func simulated(srv *salesforcetest.Server) salesforce.Config {
	return salesforce.Config{URL: srv.URL, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret}
}

func dial(tb testing.TB, c salesforce.Config) *salesforce.Client {
	tb.Helper()
	client, err := salesforce.Dial(context.WithoutCancel(tb.Context()), c)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// harness says what the conformance suite may use of an organization: the
// sample object.
func harness(t *testing.T, client *salesforce.Client) adaptertest.Harness {
	t.Helper()
	h := adaptertest.Harness{
		Adapter: client,
		Model:   "Sample__c",
		IDField: "Id",
		Text:    "Name", OptionalText: "Code__c", Integer: "Count__c", Float: "Ratio__c", Boolean: "Flag__c",
		Date: "Day__c", DateTime: "Moment__c",
		Reference: "Parent__c", TargetField: "Name",
		BareReferences: true,
		Lines:          "Children__r", LineModel: "Sample__c", LineInverse: "Parent__c",
		LineValues: func() adapter.Record { return adapter.Record{"Name": "line"} },
		Readonly:   "CreatedDate",
		Integers:   []string{"0", "1", "-1", "1000000", "999999999"},
		Decimals:   []string{"0", "0.5", "-1.25", "10.1", "123456.75", "0.0001"},
		MissingID:  adapter.StringID("a00000000000000AAA"),
		Call:       &adapter.Call{Method: "limits"},
		Upsert:     upserts("External_Id__c"),
	}
	for _, name := range []string{"first target", "second target"} {
		id, err := client.Create(t.Context(), "Sample__c", adapter.Record{"Name": name})
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Delete(context.WithoutCancel(t.Context()), "Sample__c", []adapter.ID{id}) })
		h.Targets = append(h.Targets, adapter.Ref{ID: id, Name: name})
	}
	return h
}

// upserts are values of a key that nobody else uses.
func upserts(key string) func(name string) (string, string) {
	mark := rand.Text()[:8]
	return func(name string) (string, string) { return key, mark + name }
}

func TestConformance(t *testing.T) {
	// Salesforce tells changes apart by the second: this clock has its own.
	var seconds atomic.Int64
	now := func() time.Time { return time.Now().Add(7*time.Hour + time.Duration(seconds.Load())*time.Second) }
	srv := salesforcetest.NewServer(salesforcetest.Config{Now: now})
	t.Cleanup(srv.Close)
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		t.Helper()
		h := harness(t, dial(t, simulated(srv)))
		h.BetweenChanges = func(*testing.T) { seconds.Add(1) }
		h.ConditionRaces, h.Now = true, now
		h.Nest = &adaptertest.Nesting{Up: "Parent__r", UpText: "Name", Lines: "Children__r", LineText: "Name"}
		return h
	})
}
