package mapping

import "github.com/bridgecore/bridgecore/adapter"

// Companions are the universal fields that an update needs besides those of rec:
// the other parts of texts that the system has as one. Whoever knows them, by
// reading the record, adds them before [Plan.Update].
func (p *Plan) Companions(rec adapter.Record) []string {
	var out []string
	for _, g := range p.splits {
		var missing []string
		given := false
		for _, st := range g.steps {
			if _, there := rec[st.name]; there && st.why == "" {
				given = true
			} else if !there {
				missing = append(missing, st.name)
			}
		}
		if given {
			out = append(out, missing...)
		}
	}
	return out
}
