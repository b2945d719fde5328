package recordsync

import (
	"context"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// most is how many records that may be the ones are looked through.
const most = 20_000

// mark notes of creations that are about to be tried what is needed to find out
// whether they were made.
func (s *Session) mark(ctx context.Context, to *side, items []*item) error {
	at := s.Now().UTC()
	for _, it := range items {
		it.link.Intent.At = at
	}
	if s.ExternalID != "" && to.at == Target {
		return nil
	}
	if to.numbered() {
		newest, err := s.newest(ctx, to)
		if err != nil {
			return err
		}
		for _, it := range items {
			it.link.Intent.Newest, it.link.Intent.Numbered = newest, true
		}
		return nil
	}
	alike, err := s.alike(ctx, to, items)
	if err != nil {
		return err
	}
	for _, it := range items {
		for _, r := range alike[it] {
			it.link.Intent.Before = append(it.link.Intent.Before, r.ID())
		}
	}
	return nil
}

// numbered reports whether a record's id is greater than those of all that were
// made before it.
func (sd *side) numbered() bool { return sd.system.Kind() == "odoo" }

func (s *Session) newest(ctx context.Context, sd *side) (adapter.ID, error) {
	q := adapter.Query{Model: s.Model, Fields: []string{"id"}, Order: []adapter.Order{{Field: "id", Desc: true}}, Limit: 1}
	for r, err := range sd.system.Each(ctx, q) {
		return r.ID(), err
	}
	return adapter.ID{}, nil
}

// telling is the field by which records like the one are looked for, "" for
// none.
func (s *Session) telling(to *side, values adapter.Record) string {
	for _, name := range append(slices.Clone(s.Match), append([]string{"name", "Name"}, s.fields...)...) {
		f, known := to.schema.Fields[name]
		if known && f.Type == adapter.Char && f.Searchable && !adapter.IsEmpty(values[name]) {
			return name
		}
	}
	return ""
}

// alike finds records that have the same text in the telling field.
func (s *Session) alike(ctx context.Context, to *side, items []*item) (map[*item][]adapter.Record, error) {
	byField := map[string][]*item{}
	for _, it := range items {
		if name := s.telling(to, it.link.Intent.Values); name != "" {
			byField[name] = append(byField[name], it)
		}
	}
	out := map[*item][]adapter.Record{}
	for name, list := range byField {
		var values []any
		for _, it := range list {
			values = append(values, it.link.Intent.Values[name])
		}
		found, err := s.having(ctx, to.at, name, values)
		if err != nil {
			return nil, err
		}
		for _, it := range list {
			out[it] = found[plain(adapter.Char, it.link.Intent.Values[name])]
		}
	}
	return out, nil
}

// settle finds out what became of creations that were broken off.
func (s *Session) settle(ctx context.Context, at *Progress) ([]Outcome, error) {
	links, err := s.Links.Select(ctx, s.Model, Want{Kind: WantPending, After: at.After, Limit: s.Page})
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		at.next()
		return nil, nil
	}
	for _, l := range links {
		if rest := s.Settle - s.Now().Sub(l.Intent.At); s.Settle > 0 && rest > 0 {
			return nil, &adapter.Error{
				Code: adapter.Unavailable, Temporary: true, RetryAfter: rest, Err: errArriving,
				Message: "an answer of a system got lost; the synchronisation goes on when what was sent can no longer arrive",
			}
		}
	}
	var items [2][]*item
	for _, l := range links {
		to := l.Intent.Side
		items[to] = append(items[to], s.newItem(to.other(), l))
	}
	for _, to := range s.sides {
		if len(items[to.at]) == 0 {
			continue
		}
		if err := s.settleSide(ctx, to, items[to.at]); err != nil {
			return nil, err
		}
		if err := s.save(ctx, items[to.at]); err != nil {
			return nil, err
		}
	}
	at.After = links[len(links)-1].ID
	return nil, nil
}

func (s *Session) settleSide(ctx context.Context, to *side, items []*item) error {
	candidates, err := s.candidates(ctx, to, items)
	if err != nil {
		return err
	}
	var all []adapter.ID
	for _, list := range candidates {
		for _, r := range list {
			all = append(all, r.ID())
		}
	}
	slices.SortFunc(all, func(a, b adapter.ID) int { return compareText(a.String(), b.String()) })
	taken, err := s.linksOf(ctx, to.at, slices.Compact(all))
	if err != nil {
		return err
	}
	used := map[adapter.ID]bool{}
	for id, l := range taken {
		used[id] = l.whole()
	}
	byID := s.ExternalID != "" && to.at == Target
	for _, it := range items {
		l := it.link
		var free []adapter.ID
		for _, r := range candidates[it] {
			if used[r.ID()] || slices.Contains(l.Intent.Before, r.ID()) {
				continue
			}
			if byID || s.looksLike(to, l.Intent.Values, r) {
				free = []adapter.ID{r.ID()}
				break
			}
			if name := s.telling(to, l.Intent.Values); name != "" && tidied(r[name]) == tidied(l.Intent.Values[name]) {
				free = append(free, r.ID()) // something else differs
			}
		}
		sure := byID || s.telling(to, l.Intent.Values) != ""
		switch {
		case len(free) == 1 && (byID || s.looksLike(to, l.Intent.Values, recordOf(candidates[it], free[0]))):
			used[free[0]] = true
			if half := taken[free[0]]; half != nil && half.ID != l.ID {
				half.Dropped = true
				if err := s.Links.Save(ctx, s.Model, []*Link{half}, nil); err != nil {
					return err
				}
			}
			fields := slices.Sorted(maps.Keys(l.Intent.Values))
			// What is there is ours, and compared once more.
			l.IDs[to.at], l.Intent, l.Late = free[0], &Intent{Side: to.at, At: l.Intent.At, Fields: fields}, true
			l.Run, l.Did, l.Phase, l.Step = s.run, Created, PhaseLate, 0
			if s.phase == PhaseSettle {
				l.Phase = PhaseLook
			}
		case len(free) > 0, !sure:
			l.Conflict, l.Intent, l.Late = &Conflict{Kind: Doubtful, At: s.Now().UTC(), Candidates: free}, nil, false
		default:
			l.Intent, l.Late = nil, true // it is created when it is looked at again
		}
	}
	return nil
}

func recordOf(list []adapter.Record, id adapter.ID) adapter.Record {
	for _, r := range list {
		if r.ID() == id {
			return r
		}
	}
	return nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// candidates are the records that each item may have become.
func (s *Session) candidates(ctx context.Context, to *side, items []*item) (map[*item][]adapter.Record, error) {
	out := map[*item][]adapter.Record{}
	var rest []*item
	byMark := map[adapter.ID][]*item{}
	for _, it := range items {
		switch {
		case it.link.Intent.Numbered:
			byMark[it.link.Intent.Newest] = append(byMark[it.link.Intent.Newest], it)
		default:
			rest = append(rest, it)
		}
	}
	for mark, list := range byMark {
		q := adapter.Query{Model: s.Model, Fields: to.read, Limit: most}
		if !mark.IsZero() {
			q.Filter = adapter.Cond{Field: "id", Op: adapter.Greater, Value: mark.Value()}
		}
		var newer []adapter.Record
		for r, err := range to.system.Each(ctx, q) {
			if err != nil {
				return nil, err
			}
			newer = append(newer, r)
		}
		for _, it := range list {
			out[it] = newer
		}
	}
	if s.ExternalID != "" && to.at == Target {
		var values []any
		for _, it := range rest {
			values = append(values, it.link.IDs[Source].String())
		}
		found, err := s.having(ctx, to.at, s.ExternalID, values)
		for _, it := range rest {
			out[it] = found[it.link.IDs[Source].String()]
		}
		return out, err
	}
	alike, err := s.alike(ctx, to, rest)
	for it, list := range alike {
		out[it] = list
	}
	return out, err
}

// looksLike reports whether a record has what was sent, as far as systems leave
// values as they were sent.
func (s *Session) looksLike(to *side, values, r adapter.Record) bool {
	for _, name := range s.fields {
		v, sent := values[name]
		if !sent {
			continue
		}
		switch f := to.schema.Fields[name]; f.Type {
		case adapter.Char, adapter.Text:
			if tidied(v) != tidied(r[name]) {
				return false
			}
		case adapter.Many2One, adapter.Selection, adapter.Boolean:
			if !adapter.IsEmpty(v) && !same(plain(f.Type, v), plain(f.Type, r[name])) {
				return false
			}
		}
	}
	return true
}
