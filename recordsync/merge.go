package recordsync

import (
	"context"
	"slices"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// merge compares what both sides have with what they had when they were last the
// same, field by field, and settles what is to be written to which.
func (s *Session) merge(it *item) {
	l := it.link
	var clash []FieldPair
	for _, name := range s.fields {
		if pair, clashes := s.mergeField(it, name); clashes {
			clash = append(clash, pair)
		}
	}
	switch {
	case len(clash) > 0:
		if l.Conflict == nil || l.Conflict.Kind != FieldConflict || !sameClash(l.Conflict.Fields, clash) {
			l.Conflict, it.dirty = &Conflict{Kind: FieldConflict, At: s.Now().UTC(), Fields: clash}, true
		}
		it.out.Conflict = l.Conflict
	case l.Conflict != nil:
		l.Conflict, it.dirty = nil, true
	}
	if l.Choice != "" && l.Conflict == nil {
		l.Choice, it.dirty = "", true
	}
	if late := len(it.out.Waiting) > 0; late != l.Late {
		l.Late, it.dirty = late, true
	}
	if l.Intent != nil && it.writes[Source] == nil && it.writes[Target] == nil {
		l.Intent, it.dirty = nil, true
	}
	if it.writes[Source] == nil && it.writes[Target] == nil {
		switch {
		case len(clash) > 0:
			it.out.Action = Conflicts
		case l.Late:
			it.out.Action, it.out.Reason = Deferred, "it refers to records that are not synchronised yet"
		}
	}
}

// sameClash reports whether a conflict is the one that is known already.
func sameClash(a, b []FieldPair) bool {
	return slices.EqualFunc(a, b, func(a, b FieldPair) bool {
		return a.Field == b.Field && digest(a.Source) == digest(b.Source) && digest(a.Target) == digest(b.Target)
	})
}

func (s *Session) mergeField(it *item, name string) (pair FieldPair, clashes bool) {
	l := it.link
	var now [2]any
	var sum [2]string
	var changed [2]bool
	met := false // the sides were the same at some time
	for side, sd := range s.sides {
		now[side] = plain(sd.schema.Fields[name].Type, it.rec[side][name])
		sum[side] = digest(now[side])
		base, known := l.Base[side][name]
		changed[side] = !known || base != sum[side]
		met = met || known
	}
	for side := range s.sides {
		if l.Intent.writes(Side(side), name) {
			// What is there now is ours, as far as we know.
			changed[side], changed[Side(side).other()], met = false, true, true
		}
	}
	if !changed[Source] && !changed[Target] {
		return pair, false
	}
	settled := func() {
		for side := range s.sides {
			if l.Base[side][name] != sum[side] {
				l.setBase(Side(side), name, sum[side])
				it.dirty = true
			}
		}
	}
	over := s.translate(Source, name, it.rec[Source][name], s.phase == PhaseLate)
	if over.ok() && same(plain(s.sides[Target].schema.Fields[name].Type, over.value), now[Target]) {
		settled()
		return pair, false
	}
	to := Target
	switch {
	case changed[Source] && !changed[Target]:
	case !changed[Source]:
		if !s.Bidirectional {
			return pair, false // the target's own
		}
		to = Source
	case !met && nothing(now[Source]):
		// Two records that meet for the first time: what one has alone is kept.
		if to = Source; !s.Bidirectional {
			settled()
			return pair, false
		}
	case !met && nothing(now[Target]):
	default:
		winner, decided := s.winner(it)
		if !decided {
			return FieldPair{name, it.rec[Source][name], it.rec[Target][name]}, true
		}
		if to = winner.other(); to == Source && !s.Bidirectional {
			settled()
			return pair, false
		}
	}
	if to == Source {
		over = s.translate(Target, name, it.rec[Target][name], s.phase == PhaseLate)
	}
	switch {
	case over.late:
		it.out.Waiting = append(it.out.Waiting, name)
		if !over.part || same(plain(s.sides[to].schema.Fields[name].Type, over.value), now[to]) {
			return pair, false
		}
	case over.lost != "":
		it.out.LeftOut = append(it.out.LeftOut, LeftOut{name, over.lost})
		settled()
		return pair, false
	}
	if over.said != "" {
		it.out.LeftOut = append(it.out.LeftOut, LeftOut{name, over.said})
	}
	if s.sides[to].schema.Fields[name].Readonly {
		it.out.LeftOut = append(it.out.LeftOut, LeftOut{name, "the " + to.String() + " does not let it be written"})
		settled()
		return pair, false
	}
	s.write(it, to, name, over.value)
	if !over.late {
		it.note(to.other(), name, sum[to.other()])
	}
	return pair, false
}

// write has a value written.
func (s *Session) write(it *item, to Side, name string, v any) {
	if it.writes[to] == nil {
		it.writes[to] = adapter.Record{}
	}
	it.writes[to][name] = v
	it.out.Changes = append(it.out.Changes, Change{to, name, it.rec[to][name], v})
}

// note remembers the value that is being carried over, for the base.
func (it *item) note(side Side, name, digest string) {
	if it.seen[side] == nil {
		it.seen[side] = map[string]string{}
	}
	it.seen[side][name] = digest
}

// winner is the side whose value counts where both changed it.
func (s *Session) winner(it *item) (side Side, decided bool) {
	if c := it.link.Choice; c == string(SourceWins) || c == string(TargetWins) {
		return sideNamed(c), true
	}
	switch s.Policy {
	case Manual:
		return 0, false
	case Newest:
		var at [2]time.Time
		for i, sd := range s.sides {
			at[i] = it.rec[i].Time(sd.dated)
			if at[i].IsZero() {
				return Source, true
			}
			end := time.Duration(0)
			if i == int(Source) && isDay(at[i]) {
				end = 24 * time.Hour // it may have been at the day's end
			}
			at[i] = at[i].Add(end - s.ahead(Side(i), at[i]))
		}
		if at[Target].Sub(at[Source]) > time.Second {
			return Target, true
		}
		return Source, true
	}
	return sideNamed(string(s.Policy)), true
}

// isDay reports whether a date is that of a day, without a time: which in
// universal words reads as the day's beginning. It is one in 86,400 that any other
// date looks so, and takes no more than the source's part.
func isDay(at time.Time) bool { return at.Equal(at.UTC().Truncate(24 * time.Hour)) }

// ahead is by how much a side's clock is ahead of ours. A date that was read is
// one that its clock had reached.
func (s *Session) ahead(side Side, read time.Time) time.Duration {
	c := &s.state.Clock[side]
	if by := read.Sub(s.Now()); by > c.Ahead && (by > 2*time.Second || c.Measured) {
		c.Ahead = by
	}
	return c.Ahead
}

// askClocks asks the systems what time it is there, where the newest record is to
// win and nothing was written yet that told it. What they don't say stays unknown.
func (s *Session) askClocks(ctx context.Context) {
	if s.Policy != Newest {
		return
	}
	for i, sd := range s.sides {
		if s.state.Clock[i].Measured {
			continue
		}
		began := s.Now()
		there, known, err := sd.system.Clock(ctx)
		if err != nil || !known {
			continue
		}
		s.state.Clock[i].Ahead = 0
		// It is exact to a second or so, and ours was between the two.
		if by := there.Sub(began.Add(s.Now().Sub(began) / 2)); by.Abs() > 2*time.Second {
			s.state.Clock[i].Ahead = by
		}
	}
}

// measure learns from a record that was just written how a side's clock goes.
func (s *Session) measure(side Side, r adapter.Record, began, ended time.Time) {
	name := s.sides[side].dated
	if name == "" || s.sides[side].schema.Fields[name].Type != adapter.DateTime {
		return
	}
	if at := r.Time(name); !at.IsZero() && !isDay(at) {
		// Dates are cut to whole seconds.
		by := at.Add(time.Second / 2).Sub(began.Add(ended.Sub(began) / 2))
		s.state.Clock[side] = Clock{Ahead: by, Measured: true}
	}
}
