package migrate

import (
	"context"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// session is what one goroutine needs to run a plan.
type session struct {
	plan    *Plan
	runners map[*node]*runner
	tally   *tally // nil where nobody counts
}

func newSession(p *Plan) *session { return &session{plan: p, runners: map[*node]*runner{}} }

func (s *session) runner(n *node, opts *Options) *runner {
	r := s.runners[n]
	if r == nil {
		r = newRunner(n.prog, opts, n.model)
		s.runners[n] = r
	}
	r.opts = opts
	r.back = nil
	return r
}

func (s *session) up(ctx context.Context, rec adapter.Record) (Result, error) {
	if rec == nil {
		return Result{}, adapter.Errorf(adapter.InvalidArgument, "the record is null")
	}
	res := Residue{Kept: []Kept{}}
	var side []Side
	n, out, err := s.climb(ctx, s.plan.root, rec, &s.plan.opts, &res, &side, s.tally)
	if err != nil {
		return Result{}, err
	}
	result := Result{Model: n.final, Record: out, Side: side}
	if !s.plan.opts.NoResidue {
		res.Model = n.final
		result.Residue = &res
	}
	return result, nil
}

// climb runs a node and those after it, and returns the last.
func (s *session) climb(ctx context.Context, n *node, rec adapter.Record, opts *Options, res *Residue, side *[]Side, t *tally) (*node, adapter.Record, error) {
	for {
		r := s.runner(n, opts)
		if t != nil {
			r.count()
		}
		out, err := r.upRecord(ctx, rec)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case t == nil:
		case n == s.plan.root && len(n.branches) == 0:
			t.enter(n)
			t.run = r
		default:
			t.way = onward(t.way, r.passages(rec))
		}
		res.Kept = append(res.Kept, r.kept...)
		if err := s.carry(ctx, r.side, side); err != nil {
			return nil, nil, err
		}
		if len(n.branches) == 0 {
			return n, out, nil
		}
		i := slices.IndexFunc(n.branches, func(b nodeBranch) bool { return suits(b.when, out) })
		if i < 0 {
			return nil, nil, &adapter.Error{Code: adapter.InvalidArgument, Model: n.model, Field: n.branches[0].when[0].Field, Message: "the model is split in the new version, and the record fits none of the parts"}
		}
		n, rec = n.branches[i].to, out
	}
}

func suits(when []Test, rec adapter.Record) bool {
	for _, t := range when {
		v, there := rec[t.Field]
		if !there {
			v = absent{}
		}
		c := condition{test: t, keys: keysOf(t.Values)}
		if !c.holds(v) {
			return false
		}
	}
	return true
}

// carry takes side records on to the new version.
func (s *session) carry(ctx context.Context, from []movedSide, to *[]Side) error {
	for _, m := range from {
		n := s.plan.sides[sideKey{m.Model, m.hop + 1}]
		if n == nil || n.prog == nil {
			*to = append(*to, m.Side)
			continue
		}
		opts := s.plan.opts
		opts.Partial, opts.NoResidue, opts.Target = true, true, nil
		var res Residue
		last, out, err := s.climb(ctx, n, m.Values, &opts, &res, to, nil)
		if err != nil {
			return err
		}
		link := m.Link
		if e := n.prog.in[link]; e != nil && e.to != "" {
			link = e.to
		}
		*to = append(*to, Side{Model: last.final, Link: link, Values: out})
	}
	return nil
}

// down finds the way that leads to the residue's model and goes back on it.
func (s *session) down(ctx context.Context, rec adapter.Record, residue *Residue) (Back, error) {
	if rec == nil {
		return Back{}, adapter.Errorf(adapter.InvalidArgument, "the record is null")
	}
	want := ""
	if residue != nil {
		want = residue.Model
	}
	ways := s.plan.root.ways(nil)
	if len(ways) > 1 {
		fit := slices.DeleteFunc(ways, func(w []*node) bool { return want == "" || w[len(w)-1].final != want })
		if len(fit) != 1 {
			return Back{}, &adapter.Error{Code: adapter.InvalidArgument, Model: s.plan.model, Field: "model", Message: "the model is split in the new version: without the residue nobody knows which part the record is"}
		}
		ways = fit
	}
	back := Back{Model: s.plan.model}
	for _, n := range slices.Backward(ways[0]) {
		r := s.runner(n, &s.plan.opts)
		r.back = &back
		out, err := r.downRecord(ctx, rec, residue)
		if err != nil {
			return Back{}, err
		}
		rec = out
	}
	back.Record = rec
	if len(back.Missing) > 0 && residue == nil && !s.plan.opts.Partial && !s.plan.opts.AllowLoss {
		slices.Sort(back.Missing)
		return Back{}, &MissingError{Model: s.plan.model, Fields: back.Missing}
	}
	return back, nil
}

// ways lists all chains of nodes from this one to an end.
func (n *node) ways(before []*node) [][]*node {
	chain := append(slices.Clone(before), n)
	if len(n.branches) == 0 {
		return [][]*node{chain}
	}
	var out [][]*node
	for _, b := range n.branches {
		out = append(out, b.to.ways(chain)...)
	}
	return out
}
