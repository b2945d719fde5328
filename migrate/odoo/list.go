package odoo

import (
	"maps"
	"slices"
)

// Info says what a pack is.
type Info struct {
	Name     string   `json:"name"`
	About    string   `json:"about"`
	Versions []string `json:"versions"`
	Models   []string `json:"models"`  // by any name that a version gives them
	Hops     int      `json:"hops"`    // from a version to the next
	Rules    int      `json:"rules"`   // of all hops
	Skipped  int      `json:"skipped"` // known changes without a rule
}

// labels say what the packs are fit for.
var labels = map[string]string{
	"documented": "The rules of BridgeCore's documentation, to the letter. Some name fields that no Odoo has: for data that stay outside of Odoo. The default where nothing is written.",
	"community":  "What Odoo Community changed from 13.0 to 19.0. The default where records are written to a system.",
}

// List describes the packs of this package, by name.
func List() []Info {
	packs := Packs()
	out := make([]Info, 0, len(packs))
	for _, name := range slices.Sorted(maps.Keys(packs)) {
		p := packs[name]
		i := Info{Name: name, About: labels[name], Versions: p.Versions(), Models: p.Models(), Hops: len(p.Hops), Skipped: len(p.Skipped)}
		for _, h := range p.Hops {
			for _, m := range h.Models {
				i.Rules += len(m.Rules)
				for _, b := range m.Branches {
					i.Rules += len(b.Rules)
				}
			}
		}
		out = append(out, i)
	}
	return out
}
