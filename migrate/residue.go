package migrate

import (
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Residue is what the new version can't hold of a record. Together with the
// new record it gives the old one back. Its JSON form may be stored. An empty
// one says that the new record holds everything, which is more than not to have
// one: see [Plan.Down].
type Residue struct {
	// Model is the record's model in the new version.
	Model string `json:"model,omitempty"`
	// Kept are the old values, by the hop and the rule that could not carry
	// them, in the order of the hops.
	Kept []Kept `json:"kept"`
}

// Kept are the old values of one rule's fields.
type Kept struct {
	At   string         `json:"at"`   // the version that the hop starts from
	Rule string         `json:"rule"` // the rule's key: "remove fax"
	Old  map[string]any `json:"old"`  // fields that going down can't know
	// Gone are fields that going down would make up, and the old record lacks.
	Gone []string `json:"gone,omitempty"`
	// New are the values that the rule gave. Going down the old values count
	// only while the new ones are these.
	New map[string]any `json:"new,omitempty"`
}

// UnmarshalJSON reads the form that encoding/json writes, numbers kept as
// they are.
func (r *Residue) UnmarshalJSON(b []byte) error {
	type plain Residue
	return adapter.DecodeJSON(b, (*plain)(r))
}

// Empty reports whether nothing was kept.
func (r *Residue) Empty() bool { return r == nil || len(r.Kept) == 0 }

// Field returns the value that the residue holds of an old field, by the
// field's name at the hop that could not carry it.
func (r *Residue) Field(name string) (any, bool) {
	if r == nil {
		return nil, false
	}
	for _, k := range r.Kept {
		if v, ok := k.Old[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (r *Residue) find(at, rule string) *Kept {
	if r == nil {
		return nil
	}
	i := slices.IndexFunc(r.Kept, func(k Kept) bool { return k.At == at && k.Rule == rule })
	if i < 0 {
		return nil
	}
	return &r.Kept[i]
}

// fits reports whether the rule's new fields still are what it gave.
func (k *Kept) fits(names []string, values []any) bool {
	there := 0
	for i, v := range values {
		if isAbsent(v) {
			continue
		}
		there++
		was, ok := k.New[names[i]]
		if !ok || !equalData(was, v) {
			return false
		}
	}
	return there == len(k.New)
}
