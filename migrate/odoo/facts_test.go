package odoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/migrate"
)

// known returns the committed identifiers of all facts: HOP/MODEL/FIELD/KIND.
func known(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/facts.txt")
	require.NoError(t, err)
	return strings.Fields(string(b))
}

// covered counts the facts of a pack by who covers them.
func covered(p *migrate.Pack) (rules, skips map[string]bool) {
	rules, skips = map[string]bool{}, map[string]bool{}
	for _, h := range p.Hops {
		for _, m := range h.Models {
			for _, ref := range m.Refs {
				rules[ref] = true
			}
			for _, r := range m.Rules {
				for _, ref := range r.Refs {
					rules[ref] = true
				}
			}
		}
	}
	for _, s := range p.Skipped {
		for _, ref := range s.Refs {
			skips[ref] = true
		}
	}
	return rules, skips
}

// Every fact is a rule, or is skipped with a reason.
func TestEveryFactIsARuleOrSkipped(t *testing.T) {
	rules, skips := covered(Community())
	all := known(t)
	require.Len(t, all, 785+118)
	byRule, bySkip := 0, map[string]int{}
	reasons := map[string]string{}
	for _, s := range Community().Skipped {
		kind, _, ok := strings.Cut(s.Reason, ":")
		assert.True(t, ok, "%s: a reason begins with its kind", s.Pos)
		for _, ref := range s.Refs {
			reasons[ref] = kind
		}
	}
	for _, id := range all {
		assert.True(t, rules[id] || skips[id], "%s: neither a rule nor skipped", id)
		assert.False(t, rules[id] && skips[id], "%s: both a rule and skipped", id)
		if rules[id] {
			byRule++
		} else {
			bySkip[reasons[id]]++
		}
	}
	for _, refs := range []map[string]bool{rules, skips} {
		for id := range refs {
			assert.Contains(t, all, id, "a rule covers a fact that does not exist")
		}
	}
	t.Logf("%d facts: %d by rules, skipped %v", len(all), byRule, bySkip)
}

type change struct {
	Hop, Model, Kind, Field string
	NeedsHuman              bool     `json:"needs_human"`
	IfIgnored               []string `json:"if_ignored"`
}

func (c change) id() string {
	field := c.Field
	if field == "" {
		field = "(model)"
	}
	return strings.Join([]string{strings.NewReplacer(".0->", "-", ".0", "").Replace(c.Hop), c.Model, field, c.Kind}, "/")
}

func changes(t *testing.T) []change {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(facts(t), "odoo-changes.json"))
	require.NoError(t, err)
	var list []change
	require.NoError(t, json.Unmarshal(b, &list))
	return list
}

var gapSections = map[string]string{
	"### Stored fields that disappear":  "field_gone",
	"### Types that change":             "type_differs",
	"### Selection keys that disappear": "keys_gone",
	"### Fields newly required":         "newly_required",
}

var (
	gapLine     = regexp.MustCompile(`^- (\d+)\.0->(\d+)\.0 (\S+)\.(\w+): `)
	doubtedLine = regexp.MustCompile(`^\| (\d+)\.0->(\d+)\.0 \| (\S+) \| (\w+) \| (\w+) \|`)
)

// gaps reads the differences between real schemas that no change lists, and
// the changes that the schemas don't bear out.
func gaps(t *testing.T) (missing, doubted []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(facts(t), "odoo-schema-gaps.md"))
	require.NoError(t, err)
	kind := ""
	for line := range strings.Lines(string(b)) {
		for prefix, k := range gapSections {
			if strings.HasPrefix(line, prefix) {
				kind = k
			}
		}
		if m := gapLine.FindStringSubmatch(line); m != nil {
			missing = append(missing, fmt.Sprintf("%s-%s/%s/%s/%s", m[1], m[2], m[3], m[4], kind))
		}
		if m := doubtedLine.FindStringSubmatch(line); m != nil {
			doubted = append(doubted, fmt.Sprintf("%s-%s/%s/%s/%s", m[1], m[2], m[3], m[5], m[4]))
		}
	}
	return missing, doubted
}

// The committed list of facts is the recorded one.
func TestFactsAreTheRecordedOnes(t *testing.T) {
	want := map[string]bool{}
	for _, c := range changes(t) {
		want[c.id()] = true
	}
	missing, _ := gaps(t)
	for _, id := range missing {
		want[id] = true
	}
	got := map[string]bool{}
	for _, id := range known(t) {
		got[id] = true
	}
	assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
}

var severities = map[string]migrate.Severity{"target_rejects": migrate.Rejected, "value_lost": migrate.Lost, "silently_wrong": migrate.Wrong}

// Rules say how bad it is to ignore them, no milder than their facts, and
// where they come from.
func TestRulesAreAsSevereAsTheirFacts(t *testing.T) {
	severity := map[string][]string{}
	for _, c := range changes(t) {
		severity[c.id()] = c.IfIgnored
	}
	for _, h := range Community().Hops {
		for _, m := range h.Models {
			for _, r := range m.Rules {
				assert.NotEmpty(t, r.Severity, r)
				if r.Verb != migrate.ModelName && r.Verb != migrate.Reference {
					assert.NotEmpty(t, r.Source, r)
				}
				for _, ref := range r.Refs {
					for _, s := range severity[ref] {
						if want, ok := severities[s]; ok {
							assert.Contains(t, r.Severity, want, r)
						}
					}
				}
			}
		}
	}
}

// Changes that the schemas don't bear out act only where the field is there;
// their rules are conditional, or say what is special.
func TestDoubtedChangesSaySo(t *testing.T) {
	_, doubted := gaps(t)
	require.Len(t, doubted, 29)
	said := map[string]bool{}
	for _, s := range Community().Skipped {
		for _, ref := range s.Refs {
			said[ref] = true
		}
	}
	for _, h := range Community().Hops {
		for _, m := range h.Models {
			for _, ref := range m.Refs {
				said[ref] = said[ref] || len(m.Notes) > 0
			}
			for _, r := range m.Rules {
				for _, ref := range r.Refs {
					said[ref] = said[ref] || r.Note != "" || len(r.When) > 0
				}
			}
		}
	}
	for _, id := range doubted {
		assert.True(t, said[id], id)
	}
}

// What only a person can decide is marked, or the mark is left out for a
// reason that this list names.
func TestPeopleAreAskedWhereFactsSaySo(t *testing.T) {
	marked := map[string]bool{}
	for _, h := range Community().Hops {
		for _, m := range h.Models {
			for _, ref := range m.Refs {
				marked[ref] = marked[ref] || m.Person
			}
			for _, r := range m.Rules {
				asks := m.Person || r.Person || (r.Verb == migrate.Merge && r.Kind == "first") || r.Kind == "account_type"
				for _, ref := range r.Refs {
					marked[ref] = marked[ref] || asks
				}
			}
		}
	}
	except := map[string]string{
		"13-14/account.payment/move_id/semantics_changed":           "the server makes the entry with the payment",
		"17-18/account.payment/move_id/semantics_changed":           "nothing to decide for a record",
		"16-17/account.move/name/semantics_changed":                 "duplicates are refused loudly; most entries have none",
		"18-19/project.project/rating_status/moved_field":           "asked for by rating_active",
		"18-19/project.project/rating_status_period/moved_field":    "asked for by rating_active",
		"18-19/project.project/rating_request_deadline/moved_field": "asked for by rating_active",
	}
	for _, c := range changes(t) {
		if c.NeedsHuman && except[c.id()] == "" {
			assert.True(t, marked[c.id()], c.id())
		}
	}
}
