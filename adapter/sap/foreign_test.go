package sap_test

import (
	"cmp"
	"os"
	"testing"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/sap"
)

// foreign are the services of a server that is not ours, from the environment:
// BRIDGECORE_ODATA_URL, _USERNAME and _PASSWORD, and the paths of the same
// service in both versions, _V4 and _V2. It must have the entity set Samples
// with the fields of the simulator's.
func foreign(t *testing.T) map[string]sap.Config {
	t.Helper()
	address := os.Getenv("BRIDGECORE_ODATA_URL")
	if address == "" {
		t.Skip("SKIPPED: no foreign OData server. Set BRIDGECORE_ODATA_URL, and _USERNAME, _PASSWORD, _V4 and _V2 where they differ from alice, alice, /probe and /odata/v2/probe.")
	}
	configs := map[string]sap.Config{}
	for version, path := range map[string]string{
		sap.V4: cmp.Or(os.Getenv("BRIDGECORE_ODATA_V4"), "/probe"),
		sap.V2: cmp.Or(os.Getenv("BRIDGECORE_ODATA_V2"), "/odata/v2/probe"),
	} {
		configs[version] = sap.Config{
			URL: address, Version: "foreign " + version, Language: "EN",
			Username: cmp.Or(os.Getenv("BRIDGECORE_ODATA_USERNAME"), "alice"), Password: cmp.Or(os.Getenv("BRIDGECORE_ODATA_PASSWORD"), "alice"),
			Services: []sap.Service{{Name: "probe", Path: path, Version: version}},
		}
	}
	return configs
}

func TestForeignConformance(t *testing.T) {
	for version, c := range foreign(t) {
		t.Run(version, func(t *testing.T) {
			adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
				t.Helper()
				h := harness(t, c, "probe")
				h.Call = &adapter.Call{Model: "probe", Method: "add", Kwargs: map[string]any{"A": 1, "B": 2}}
				h.Lines = "" // its lines have their key from the association
				h.Readonly = ""
				h.Adapter = withoutFiles{h.Adapter.(*sap.Client)}
				return h
			})
		})
	}
}

// withoutFiles is a client that is no adapter.Attacher.
type withoutFiles struct{ *sap.Client }

func (withoutFiles) Attach() {}
