package httpapi

import (
	"slices"

	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/mapping"
)

// Universal are the members of requests that may be in universal words. It is
// exported because huma looks into exported embedded structs alone.
type Universal struct {
	UseUniversal bool   `json:"use_universal_schema,omitempty" doc:"The request is in universal words, whatever the system: model names a universal model such as contact, and fields, domain, order and values are of that. So is the answer. GET /api/v1/mappings/models lists them"`
	Unmapped     string `json:"unmapped,omitempty" enum:"drop,extra,refuse" doc:"With use_universal_schema: what becomes of fields that the system does not have. drop, the default: left out with a warning; extra: values are kept under extra; refuse: an error"`
}

// The names of those members.
const (
	universalMember = "use_universal_schema"
	unmappedMember  = "unmapped"
)

func (u Universal) asked() bool { return u.UseUniversal || u.Unmapped != "" }

// of returns the system for requests in universal words.
func (u Universal) of(sys *bridge.System, version string) (*bridge.System, error) {
	switch {
	case !u.UseUniversal:
		return nil, invalid(unmappedMember, "goes with use_universal_schema alone")
	case !slices.Contains([]string{"", "drop", "extra", "refuse"}, u.Unmapped):
		return nil, invalid(unmappedMember, "must be drop, extra or refuse")
	case version != "":
		return nil, invalid(versionHeader, "can't go with use_universal_schema: universal words are of no version")
	}
	return sys.Universal(bridge.UniversalOptions{Unmapped: unmapped(u.Unmapped)})
}

// unmapped is the package's word for a member's.
func unmapped(text string) mapping.Unmapped {
	if text == "drop" {
		return mapping.Drop
	}
	return mapping.Unmapped(text)
}
