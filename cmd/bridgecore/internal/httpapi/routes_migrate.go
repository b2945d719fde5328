package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/migrate"
	"github.com/bridgecore/bridgecore/migrate/odoo"
)

// Crossing is what every request about a migration says.
type Crossing struct {
	Model string `json:"model" minLength:"1" maxLength:"128" doc:"The model, named as in from_version" example:"res.partner"`
	From  string `json:"from_version,omitempty" maxLength:"16" doc:"The version that the records are of; the system's unless given" example:"13.0"`
	To    string `json:"to_version,omitempty" maxLength:"16" doc:"The version to migrate to; with a target its own unless given" example:"19.0"`
	Pack  string `json:"pack,omitempty" enum:"documented,community" doc:"The rules: documented (the documentation to the letter; the default where nothing is written) or community (what Odoo changed; the default with target_system_id). See GET /api/v1/migrations/packs"`
}

// rules are the pack that is asked for.
func (p Crossing) rules(writes bool) *migrate.Pack {
	name := p.Pack
	if name == "" {
		if name = "documented"; writes {
			name = "community"
		}
	}
	pack, _ := odoo.Named(name)
	return pack
}

type migrateInput struct {
	SystemPath
	Body migrateRequest
}

type migrateRequest struct {
	Crossing
	RecordIDs []adapter.ID    `json:"record_ids" minItems:"1" maxItems:"10000" nullable:"false" doc:"The records: 1000 at most, 10000 with async" example:"[123,124,125]"`
	Fields    []string        `json:"fields,omitempty" nullable:"false" doc:"The fields to read, named as in from_version; all that are stored unless given, apart from binary ones"`
	Target    string          `json:"target_system_id,omitempty" maxLength:"255" doc:"Where to write the records; nowhere unless given. They are written under external ids made of the system, the model and the id, so that a repeated request changes what the first one made" example:"odoo_new"`
	Lines     []string        `json:"lines,omitempty" nullable:"false" doc:"With target_system_id: one-to-many fields whose records go along inside of theirs. They are written with new records alone" example:"[\"order_line\"]"`
	LeaveOut  []string        `json:"leave_out,omitempty" nullable:"false" doc:"With target_system_id: fields not to write, named as in to_version, such as state where records must begin as drafts" example:"[\"state\"]"`
	DryRun    bool            `json:"dry_run,omitempty" doc:"Look at everything and write nothing; the answer has the plan"`
	Records   bool            `json:"include_records,omitempty" doc:"Answer with the records in the new version"`
	OnError   migrate.OnError `json:"on_error,omitempty" enum:"collect,stop" doc:"At a record that is refused: collect (go on, the default) or stop. Records before it stay written"`
	Async     bool            `json:"async,omitempty" doc:"Answer 202 at once and do it in the background: see /operations"`

	resume *bridge.BatchMark // of the target before a step that was broken off
}

type migrateOutput struct {
	Success  bool                    `json:"success" doc:"Whether no record was refused"`
	Path     []string                `json:"migration_path" nullable:"false" doc:"The versions gone through" example:"[\"13.0\",\"14.0\"]"`
	Migrated int                     `json:"migrated" doc:"How many records were migrated; with dry_run: would be" example:"3"`
	Errors   []bridge.MigrationError `json:"errors" nullable:"false" doc:"The records that were refused, with the reason"`
	ToModel  string                  `json:"to_model,omitempty" doc:"The model's name in the new version, where it is another"`
	DryRun   bool                    `json:"dry_run,omitempty" doc:"Nothing was written"`
	Created  int                     `json:"created,omitempty" doc:"With target_system_id: how many records are new there"`
	Updated  int                     `json:"updated,omitempty" doc:"With target_system_id: how many were there and were changed"`
	Plan     *migrate.Description    `json:"plan,omitempty" doc:"With dry_run: what each step changes"`
	Coverage *coverageSummary        `json:"coverage,omitempty" doc:"With target_system_id: the plan held against the schemas of both systems"`
	LeftOut  []bridge.LeftOut        `json:"left_out,omitempty" doc:"With target_system_id: fields that are not written, with the reason"`
	Warnings []string                `json:"warnings,omitempty" doc:"With dry_run, target_system_id or include_records: what to look at"`
	Records  []bridge.MigratedRecord `json:"records,omitempty" doc:"With include_records: the records in the new version, and what it can't hold of them"`
}

// coverageSummary is a coverage without the fields that have no problem.
type coverageSummary struct {
	OK       bool                      `json:"ok"`
	Problems []migrate.CoverageFinding `json:"problems" nullable:"false"`
}

type planInput struct {
	SystemPath
	Body Crossing
}

type coverageInput struct {
	SystemPath
	Body struct {
		Crossing
		Target string `json:"target_system_id,omitempty" maxLength:"255" doc:"System whose schema is that of to_version; the snapshot of Odoo Community unless given" example:"odoo_new"`
	}
}

type diffInput struct {
	SystemPath
	Body struct {
		Crossing
		RecordIDs []adapter.ID `json:"record_ids" minItems:"1" maxItems:"1000" nullable:"false" doc:"The records" example:"[123,124,125]"`
		Fields    []string     `json:"fields,omitempty" nullable:"false" doc:"The fields to read; all that are stored unless given, apart from binary ones"`
	}
}

type diffOutput struct {
	Success bool                 `json:"success" doc:"Whether no record would be refused"`
	Records []migrate.RecordDiff `json:"records" nullable:"false" doc:"Each record's fields that change, before and after"`
	Missing []adapter.ID         `json:"missing" nullable:"false" doc:"Records that are not there"`
}

type packsOutput struct {
	Packs []odoo.Info `json:"packs" nullable:"false"`
	Total int         `json:"total"`
}

func (a *API) registerMigrate() {
	const tag, path = "Migration", "/api/v1/systems/{system_id}/migrate"
	failures := []int{400, 403, 404, 413, 415, 422, 429, 501, 502, 503, 504}

	a.registerAsync(a.operation(route{
		id: "migrateRecords", method: http.MethodPost, path: path, tag: tag, mixed: true,
		summary: "Carry records to another version",
		description: "Reads the records and carries them through the versions by the rules of a pack. With target_system_id they are " +
			"written there: the plan is first held against that system's schema, and rules that it would refuse are refused here before anything is written. " +
			"References are written as those of the target, found by external ids; what it has no counterpart of is left out and listed.",
		errors: failures,
	}), a.migrateRecords)

	register(a, route{
		reads: true, id: "migratePlan", method: http.MethodPost, path: path + "/plan", tag: tag,
		summary: "Show what a migration would do", description: "What each step removes, renames and converts, and what to look at.",
		errors: failures,
	}, func(ctx context.Context, in *planInput) (*body[migrate.Description], error) {
		sys, err := a.system(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		plan, err := sys.MigrationPlan(ctx, bridge.Migration{Pack: in.Body.rules(false), Model: in.Body.Model, From: in.Body.From, To: in.Body.To})
		if err != nil {
			return nil, err
		}
		return &body[migrate.Description]{plan.Describe()}, nil
	})

	register(a, route{
		reads: true, id: "migrateCoverage", method: http.MethodPost, path: path + "/coverage", tag: tag,
		summary: "Hold a migration against the schemas of both versions",
		description: "Every field's fate, what fills every required field of the new version, and what would be refused. " +
			"The schemas are those of the systems where they are of these versions, otherwise those of Odoo Community.",
		errors: failures,
	}, func(ctx context.Context, in *coverageInput) (*body[migrate.Coverage], error) {
		sys, err := a.system(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		m := bridge.Migration{Pack: in.Body.rules(in.Body.Target != ""), Model: in.Body.Model, From: in.Body.From, To: in.Body.To}
		if m.Target, err = a.target(ctx, in.Body.Target); err != nil {
			return nil, err
		}
		coverage, err := sys.Coverage(ctx, m, snapshot)
		if err != nil {
			return nil, err
		}
		return &body[migrate.Coverage]{*coverage}, nil
	})

	register(a, route{
		reads: true, id: "migrateDiff", method: http.MethodPost, path: path + "/diff", tag: tag,
		summary: "Show what becomes of records, field by field", description: "Nothing is written. Fields that pass through unchanged are left out.",
		errors: failures,
	}, func(ctx context.Context, in *diffInput) (*body[diffOutput], error) {
		sys, err := a.system(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		diffs, missing, err := sys.Diff(ctx, bridge.Migration{
			Pack: in.Body.rules(false), Model: in.Body.Model, From: in.Body.From, To: in.Body.To, IDs: in.Body.RecordIDs, Fields: in.Body.Fields,
		})
		if err != nil {
			return nil, err
		}
		refused := slices.ContainsFunc(diffs, func(d migrate.RecordDiff) bool { return d.Error != "" })
		return &body[diffOutput]{diffOutput{!refused && len(missing) == 0, diffs, append([]adapter.ID{}, missing...)}}, nil
	})

	register(a, route{
		id: "listPacks", method: http.MethodGet, path: "/api/v1/migrations/packs", tag: tag,
		summary: "List the rule packs", description: "What they are fit for, their versions, and the models that they have rules for.",
	}, func(context.Context, *struct{}) (*body[packsOutput], error) {
		list := odoo.List()
		return &body[packsOutput]{packsOutput{list, len(list)}}, nil
	})
}

func (a *API) migrateRecords(ctx context.Context, in *migrateInput) (*accepted, error) {
	open := func(id string) (*bridge.System, error) { return a.system(ctx, id) }
	if in.Body.Async {
		return a.startMigration(ctx, in, open)
	}
	got, err := in.Body.run(ctx, in.SystemID, in.Body.RecordIDs, open)
	if err != nil {
		return nil, err
	}
	out := migrationAnswer(&in.Body, got)
	a.countMigrated(in.SystemID, &out, open)
	return &accepted{Status: http.StatusOK, Body: out}, nil
}

// run carries some of the records.
func (r *migrateRequest) run(ctx context.Context, from string, ids []adapter.ID, open func(id string) (*bridge.System, error)) (*bridge.Migrated, error) {
	sys, err := open(from)
	if err != nil {
		return nil, err
	}
	m := bridge.Migration{
		Pack: r.rules(r.Target != ""), Model: r.Model, From: r.From, To: r.To,
		IDs: ids, Fields: r.Fields, Lines: r.Lines, LeaveOut: r.LeaveOut, DryRun: r.DryRun, OnError: r.OnError, Resume: r.resume,
	}
	// The documented rules leave most of what Odoo changed unsaid, so that
	// a server which lacks any field is none of theirs.
	m.Strict = m.Pack != nil && m.Pack.Name == "documented"
	if strings.TrimSpace(r.Target) != "" {
		if m.Target, err = open(r.Target); err != nil {
			return nil, err
		}
	}
	return sys.Migrate(ctx, m)
}

// countMigrated tells the metrics.
func (a *API) countMigrated(from string, out *migrateOutput, open func(id string) (*bridge.System, error)) {
	path := out.Path
	if a.Metrics == nil || len(path) == 0 || out.DryRun {
		return
	}
	if sys, err := open(from); err == nil {
		a.Metrics.Migrated(sys.Kind(), path[0], path[len(path)-1], out.Migrated, len(out.Errors))
	}
}

// target is the system to write to, nil for none.
func (a *API) target(ctx context.Context, id string) (*bridge.System, error) {
	if strings.TrimSpace(id) == "" {
		return nil, nil
	}
	return a.system(ctx, id)
}

// snapshot describes a model of Odoo Community.
func snapshot(version, model string) *adapter.Schema {
	all, known := odoo.Snapshot(version)
	if !known {
		return nil
	}
	return all[model]
}

// migrationAnswer has the documented members, and of the others those that
// were asked for.
func migrationAnswer(asked *migrateRequest, got *bridge.Migrated) migrateOutput {
	out := migrateOutput{Success: len(got.Errors) == 0, Path: got.Plan.Path(), Migrated: len(got.Records), Errors: got.Errors, DryRun: asked.DryRun}
	described := got.Plan.Describe()
	out.ToModel = described.ToModel
	if asked.DryRun {
		out.Plan = &described
	}
	if asked.Target != "" {
		out.Coverage = &coverageSummary{got.Coverage.OK, got.Coverage.Problems}
		out.LeftOut = got.LeftOut
		for _, r := range got.Records {
			switch {
			case r.Created, asked.DryRun && r.ID.IsZero():
				out.Created++
			default:
				out.Updated++
			}
		}
	}
	if asked.DryRun || asked.Records || asked.Target != "" {
		out.Warnings = got.Warnings
	}
	if asked.Records {
		out.Records = got.Records
	}
	return out
}
