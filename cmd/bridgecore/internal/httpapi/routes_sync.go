package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
	"github.com/bridgecore/bridgecore/recordsync"
)

// SyncPair names what is synchronised.
type SyncPair struct {
	Source  string           `json:"source_system_id" query:"source_system_id" required:"true" minLength:"1" maxLength:"255" doc:"Where records come from" example:"odoo_main"`
	Target  string           `json:"target_system_id" query:"target_system_id" required:"true" minLength:"1" maxLength:"255" doc:"Where they go" example:"odoo_backup"`
	Model   string           `json:"model" query:"model" required:"true" minLength:"1" maxLength:"128" doc:"The model, named in the words" example:"res.partner"`
	Words   recordsync.Words `json:"words,omitempty" query:"words" enum:"own,pinned,universal" doc:"In which the systems are compared: own (two of one version), pinned (two versions of Odoo, in those of version) or universal (any two). Between kinds it is universal unless given, otherwise own"`
	Version string           `json:"version,omitempty" query:"version" maxLength:"16" doc:"The version of pinned words" example:"17.0"`
}

type syncRequest struct {
	SyncPair
	Fields        []string             `json:"fields,omitempty" nullable:"false" doc:"The fields; all unless given that both systems store and let be written" example:"[\"name\",\"email\",\"phone\"]"`
	Filter        any                  `json:"filter,omitempty" doc:"An Odoo domain: only records that match are synchronised" example:"[[\"is_company\",\"=\",true]]"`
	Bidirectional bool                 `json:"bidirectional,omitempty" doc:"Bring the target's changes to the source too"`
	Conflicts     recordsync.Policy    `json:"conflicts,omitempty" enum:"source,target,newest,manual" doc:"Whose value counts where both sides changed a field: the source's unless given; with manual somebody chooses, see GET /sync/conflicts"`
	Deletions     recordsync.Deletions `json:"deletions,omitempty" enum:"ignore,propagate,archive" doc:"What a deletion does on the other side: nothing unless given"`
	Match         []string             `json:"match,omitempty" nullable:"false" doc:"Fields by which records that both sides have already are recognised, the best first. What is not clear becomes a conflict" example:"[\"email\"]"`
	ExternalID    string               `json:"external_id_field,omitempty" maxLength:"128" doc:"A field of the target to keep the source's ids in"`
	DryRun        bool                 `json:"dry_run,omitempty" doc:"Write nothing; the result has what would be written"`
	Retry         bool                 `json:"retry_refused,omitempty" doc:"Try records again that were refused and have not changed"`
	PageSize      int                  `json:"page_size,omitempty" minimum:"1" maximum:"1000" doc:"Records at a time; 50 unless given. What a killed process was at is done again"`
	Concurrency   int                  `json:"concurrency,omitempty" minimum:"1" maximum:"16" doc:"Changes under way at a time; 4 unless given"`
}

// syncPage is how many records a step takes: few enough to get somewhere even
// where a worker does not live for long.
const syncPage = 50

type startedSync struct {
	Location string `header:"Location"`
	Body     startedOperation
}

// syncConflict is a question to somebody.
type syncConflict struct {
	ID     int64      `json:"conflict_id" example:"17"`
	Source adapter.ID `json:"source_id,omitzero" doc:"The source's record, if it is known"`
	Target adapter.ID `json:"target_id,omitzero" doc:"The target's record, if it is known"`
	recordsync.Conflict
}

type syncConflictsInput struct {
	SyncPair
	After int64 `query:"after" minimum:"0" doc:"conflict_id of the last one that was seen"`
	Limit int   `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most this many"`
}

type syncConflicts struct {
	Conflicts []syncConflict `json:"conflicts" nullable:"false"`
}

type syncChoiceInput struct {
	ID   int64 `path:"conflict_id" doc:"conflict_id of the list" example:"17"`
	Body struct {
		SyncPair
		Choice string `json:"choice" minLength:"1" maxLength:"255" doc:"source or target: whose values count, or whose deletion; where it is not clear which record it is, the id of a candidate, create (none of them) or skip (leave it alone from now on). The next run does it" example:"source"`
	}
}

func (a *API) registerSync() {
	const tag, path = "Synchronisation", "/api/v1/sync"
	failures := []int{400, 403, 404, 409, 413, 415, 422, 429, 501, 502, 503, 504}

	register(a, route{
		id: "startSync", method: http.MethodPost, path: path, tag: tag, status: http.StatusAccepted,
		summary: "Synchronise a model of two systems",
		description: "Begins in the background, see /operations. Which record is which, and what both sides had when they were last the same, is remembered: " +
			"the same request again looks only at what changed since. Fields that one side changed are carried over; where both changed the same one, conflicts decides. " +
			"The operation's result lists every record with its outcome, and the values that were written unless a process was killed meanwhile. A second synchronisation of the same pair at the same time is refused with 409.",
		errors: failures,
	}, func(ctx context.Context, in *struct{ Body syncRequest }) (*startedSync, error) {
		r := &in.Body
		p, err := a.syncPair(ctx, r)
		if err != nil {
			return nil, err
		}
		// What is wrong with the whole, and that somebody else is at it, is said now.
		if _, err := recordsync.Open(ctx, p); err != nil {
			return nil, err
		}
		id := task.NewID()
		if !r.DryRun {
			if err := p.Links.Lease(ctx, p.Model, id, reserved); err != nil {
				return nil, err
			}
		}
		started, err := a.startAs(ctx, id, kindSync, r.Target, *r, 0)
		if err != nil {
			_ = p.Links.Lease(context.WithoutCancel(ctx), p.Model, id, 0) // else it is over in a while
			return nil, err
		}
		return &startedSync{started.StatusURL, started}, nil
	})

	register(a, route{
		id: "listSyncConflicts", method: http.MethodGet, path: path + "/conflicts", tag: tag,
		summary: "List conflicts that wait for a choice", description: "Of one pair and model, the oldest first.",
		errors: []int{403, 404, 422, 501, 502, 503, 504},
	}, func(ctx context.Context, in *syncConflictsInput) (*body[syncConflicts], error) {
		// A conflict has values of both sides.
		if err := a.syncAllowed(ctx, &in.SyncPair, (*bridge.System).MayRead); err != nil {
			return nil, err
		}
		links, err := a.syncLinks(ctx, &in.SyncPair)
		if err != nil {
			return nil, err
		}
		list, err := recordsync.ListConflicts(ctx, links, in.Model, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		out := syncConflicts{Conflicts: []syncConflict{}}
		for _, l := range list {
			out.Conflicts = append(out.Conflicts, conflictAnswer(l))
		}
		return &body[syncConflicts]{out}, nil
	})

	register(a, route{
		id: "resolveSyncConflict", method: http.MethodPost, path: path + "/conflicts/{conflict_id}", tag: tag,
		summary: "Decide a conflict", description: "The next synchronisation of the pair does what was chosen.",
		errors: failures,
	}, func(ctx context.Context, in *syncChoiceInput) (*body[syncConflict], error) {
		// Whoever starts the next run does what was chosen, and may be allowed more.
		if err := a.syncAllowed(ctx, &in.Body.SyncPair, (*bridge.System).MayRead, (*bridge.System).MayWrite); err != nil {
			return nil, err
		}
		links, err := a.syncLinks(ctx, &in.Body.SyncPair)
		if err != nil {
			return nil, err
		}
		l, err := recordsync.Resolve(ctx, links, in.Body.Model, in.ID, in.Body.Choice)
		if err != nil {
			return nil, err
		}
		return &body[syncConflict]{conflictAnswer(l)}, nil
	})
}

// reserved is for how long a synchronisation that was started has the pair before
// it begins; then it must take its turn with others.
const reserved = 2 * time.Minute

func conflictAnswer(l *recordsync.Link) syncConflict {
	return syncConflict{l.ID, l.IDs[recordsync.Source], l.IDs[recordsync.Target], *l.Conflict}
}

// syncSystems are the caller's two systems, and the words between them.
func (a *API) syncSystems(ctx context.Context, p *SyncPair) (source, target *bridge.System, words recordsync.Words, err error) {
	if source, err = a.system(ctx, p.Source); err != nil {
		return nil, nil, "", err
	}
	if target, err = a.system(ctx, p.Target); err != nil {
		return nil, nil, "", err
	}
	if words = p.Words; words == "" {
		words = recordsync.DefaultWords(source, target)
	}
	return source, target, words, nil
}

// syncAllowed asks of both of the caller's systems whether the model may be
// used so.
func (a *API) syncAllowed(ctx context.Context, p *SyncPair, may ...func(*bridge.System, context.Context, string) error) error {
	source, target, words, err := a.syncSystems(ctx, p)
	if err != nil {
		return err
	}
	for _, sys := range []*bridge.System{source, target} {
		if sys, err = words.Of(sys, p.Version); err != nil {
			return err
		}
		for _, ask := range may {
			if err := ask(sys, ctx, p.Model); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncLinks are the links of the caller's pair.
func (a *API) syncLinks(ctx context.Context, p *SyncPair) (recordsync.Links, error) {
	_, _, words, err := a.syncSystems(ctx, p)
	if err != nil {
		return nil, err
	}
	source, err := a.stored(ctx, p.Source)
	if err != nil {
		return nil, err
	}
	target, err := a.stored(ctx, p.Target)
	if err != nil {
		return nil, err
	}
	return a.Store.SyncLinks(store.SyncPair{TenantID: source.TenantID, SourceRef: source.ID, TargetRef: target.ID, Words: store.SyncWords(words, p.Version)}), nil
}

// syncPair is what a request asks for, as package recordsync has it.
func (a *API) syncPair(ctx context.Context, r *syncRequest) (recordsync.Pair, error) {
	source, target, words, err := a.syncSystems(ctx, &r.SyncPair)
	if err != nil {
		return recordsync.Pair{}, err
	}
	links, err := a.syncLinks(ctx, &r.SyncPair)
	if err != nil {
		return recordsync.Pair{}, err
	}
	filter, err := adapter.ParseDomain(r.Filter)
	if err != nil {
		return recordsync.Pair{}, err
	}
	return recordsync.Pair{
		Source: source, Target: target, Model: r.Model, Words: words, Version: r.Version, Fields: r.Fields, Filter: filter,
		Bidirectional: r.Bidirectional, Policy: r.Conflicts, Deletions: r.Deletions, Match: r.Match, ExternalID: r.ExternalID,
		DryRun: r.DryRun, Retry: r.Retry, Page: cmp.Or(r.PageSize, syncPage), Concurrency: r.Concurrency, Links: links, Holder: callFrom(ctx).requestID, Settle: a.Settle,
	}, nil
}
