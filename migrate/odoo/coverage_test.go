package odoo

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/migrate"
)

// byDatabase are fields that depend on the groups of a database.
var byDatabase = regexp.MustCompile(`^(in_group|sel_groups)_`)

// What the community pack leaves open for the stored fields of the snapshot's
// models, hop by hop.
func TestCommunityCoversStoredFields(t *testing.T) {
	modules := absentModules()
	counts := map[migrate.CoverageKind]int{}
	for i, to := range Versions()[1:] {
		from := Versions()[i]
		old, _ := Snapshot(from)
		new, _ := Snapshot(to)
		for _, model := range old.Models() {
			plan, err := Community().Compile(model, from, to)
			if model == "uom.category" && to == "19.0" {
				assert.Error(t, err)
				continue
			}
			require.NoError(t, err)
			target := new[plan.ToModel()]
			if target == nil {
				assert.Equal(t, "product.packaging", model)
				continue
			}
			c, err := migrate.CoverageOf(t.Context(), plan, old[model], target)
			require.NoError(t, err)
			for _, p := range c.Problems {
				counts[p.Kind]++
				if p.Field != "" && !old[model].Fields[p.Field].Stored {
					continue
				}
				switch p.Kind {
				case migrate.PersonNeeded:
				case migrate.NotInTarget:
					assert.True(t, modules[model+"."+p.Field] || byDatabase.MatchString(p.Field), "%s, %s to %s: %s", model, from, to, p.Message)
				case migrate.TypeClash:
					assert.Equal(t, "sale_delay", p.Field, p.Message)
				case migrate.RelationClash:
					assert.Equal(t, "totp_trusted_device_ids", p.Field, p.Message)
				case migrate.RequiredMissing:
					// Computed by the server where they are left out.
					assert.Contains(t, []string{"move_id", "move_type", "outgoing_mail_server_type"}, p.To, p.Message)
				default:
					assert.Fail(t, "a problem", "%s, %s to %s: %s", model, from, to, p.Message)
				}
			}
		}
	}
	t.Log(counts)
}

// The documented pack does not suit a real server, and coverage says so.
func TestDocumentedDoesNotSuitServers(t *testing.T) {
	old, _ := Snapshot("13.0")
	new, _ := Snapshot("19.0")
	for model, fields := range map[string][]string{"res.partner": {"phone_primary", "sales_person_id"}} {
		plan, err := Documented().Compile(model, "13.0", "19.0")
		require.NoError(t, err)
		c, err := migrate.CoverageOf(t.Context(), plan, old[model], new[model])
		require.NoError(t, err)
		assert.False(t, c.OK)
		for _, f := range fields {
			assert.True(t, slices.ContainsFunc(c.Problem(migrate.NotInTarget), func(p migrate.CoverageFinding) bool { return p.To == f }), "%s.%s", model, f)
		}
	}
}

// Lint finds nothing in the community pack that the snapshot explains
// otherwise than by modules that it lacks.
func TestCommunityLint(t *testing.T) {
	for _, f := range migrate.Lint(Community(), Schema) {
		switch f.Code {
		case migrate.LintShadowed, migrate.LintBadValue, migrate.LintNoSource:
			assert.Fail(t, "lint", f.String())
		}
	}
}
