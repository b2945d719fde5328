package migrate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// CaseResult is the outcome of a test beside the rules.
type CaseResult struct {
	Case     Case
	Model    string
	From, To string
	Problems []string // empty when the test passed
}

// Passed reports whether the test passed.
func (c CaseResult) Passed() bool { return len(c.Problems) == 0 }

// String returns one line, and one for each problem.
func (c CaseResult) String() string {
	s := fmt.Sprintf("ok    %s: %s, %s to %s: %s", c.Case.Pos, c.Model, c.From, c.To, c.Case.Name)
	if c.Passed() {
		return s
	}
	return "FAIL  " + s[6:] + "\n      " + strings.Join(c.Problems, "\n      ")
}

// Test runs the tests that stand beside the pack's rules, each over its own
// hop, in the order of file and line. Besides what a test says it checks that
// the record comes back whole with its residue.
func (p *Pack) Test(ctx context.Context) []CaseResult {
	var out []CaseResult
	for _, h := range p.Hops {
		for _, name := range slices.Sorted(maps.Keys(h.Models)) {
			for _, c := range h.Models[name].Tests {
				out = append(out, CaseResult{Case: c, Model: name, From: h.From, To: h.To, Problems: p.test(ctx, h, name, c)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b CaseResult) int { return byPosition(a.Case.Pos, b.Case.Pos) })
	return out
}

func (p *Pack) test(ctx context.Context, h *Hop, model string, c Case) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	plan, err := p.compileHop(model, h, Options{AllowLoss: true})
	var got Result
	if err == nil {
		got, err = plan.Up(ctx, adapter.Record(c.Up))
	}
	if c.Error != "" {
		if err == nil || !strings.Contains(err.Error(), c.Error) {
			say("want an error that says %q, got %v", c.Error, err)
		}
		return problems
	}
	if err != nil {
		say("%v", err)
		return problems
	}
	compare := func(what string, want, got map[string]any) {
		for _, f := range slices.Sorted(maps.Keys(want)) {
			v, there := got[f]
			if !there {
				say("%s: %s is missing, want %s", what, f, brief(want[f]))
			} else if !equalData(want[f], v) {
				say("%s: %s is %s, want %s", what, f, brief(v), brief(want[f]))
			}
		}
		for _, f := range slices.Sorted(maps.Keys(got)) {
			if _, wanted := want[f]; !wanted {
				say("%s: %s is %s, want none", what, f, brief(got[f]))
			}
		}
	}
	compare("gives", c.Gives, got.Record)
	if c.Model != "" && c.Model != got.Model {
		say("model is %s, want %s", got.Model, c.Model)
	}
	if c.Residue != nil {
		kept := map[string]any{}
		for _, k := range got.Residue.Kept {
			maps.Copy(kept, k.Old)
		}
		compare("residue", c.Residue, kept)
	}
	if c.Side != nil && !equalSides(c.Side, got.Side) {
		say("side records are %s, want %s", brief(got.Side), brief(c.Side))
	}
	if back, err := plan.Down(ctx, got.Record, got.Residue); err != nil {
		say("going back: %v", err)
	} else {
		compare("going back", c.Up, back.Record)
	}
	if c.Down != nil {
		if back, err := plan.Down(ctx, got.Record, nil); err != nil {
			say("going back without residue: %v", err)
		} else {
			compare("going back without residue", c.Down, back.Record)
		}
	}
	return problems
}

func equalSides(want, got []Side) bool {
	return slices.EqualFunc(want, got, func(a, b Side) bool {
		return a.Model == b.Model && a.Link == b.Link && equalData(a.Values, b.Values)
	})
}
