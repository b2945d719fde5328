package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/recordsync"
)

// SyncWords are SyncPair.Words for the words of a synchronisation, of a version
// where they are pinned.
func SyncWords(words recordsync.Words, version string) string {
	if words == recordsync.Pinned {
		return string(words) + " " + version
	}
	return string(words)
}

// SyncPair names two of a tenant's systems that are synchronised, and the words
// in which that is done, see [SyncWords]. It goes with its systems.
type SyncPair struct {
	TenantID  int64
	SourceRef int64 // System.ID
	TargetRef int64
	Words     string
}

// syncLink is a recordsync.Link. What is not selected by is in Body.
type syncLink struct {
	bun.BaseModel `bun:"table:sync_links"`

	ID        int64 `bun:",pk,autoincrement"`
	TenantID  int64
	SourceRef int64
	TargetRef int64
	Words     string
	Model     string
	Source    string // the id as JSON, "" for none
	Target    string
	Pending   bool
	Late      bool
	Conflict  bool // that waits for a choice
	Refused   bool
	Run       string
	Step      int64
	Body      string
}

// syncState is a recordsync.State, and who is synchronising.
type syncState struct {
	bun.BaseModel `bun:"table:sync_states"`

	TenantID   int64
	SourceRef  int64  `bun:",pk"`
	TargetRef  int64  `bun:",pk"`
	Words      string `bun:",pk"`
	Model      string `bun:",pk"`
	Body       string
	Holder     string // the id of an operation, or somebody else
	LeaseUntil time.Time
}

// SyncLinks returns the links of a pair.
func (s *Store) SyncLinks(p SyncPair) recordsync.Links { return &syncLinks{s, p} }

type syncLinks struct {
	store *Store
	pair  SyncPair
}

const syncWhere = "tenant_id = ? AND source_ref = ? AND target_ref = ? AND words = ? AND model = ?"

func (l *syncLinks) where(model string) (string, []any) {
	return syncWhere, []any{l.pair.TenantID, l.pair.SourceRef, l.pair.TargetRef, l.pair.Words, model}
}

func idText(id adapter.ID) string {
	if id.IsZero() {
		return ""
	}
	b, _ := id.MarshalJSON() // a number or a text
	return string(b)
}

// Find implements recordsync.Links.
func (l *syncLinks) Find(ctx context.Context, model string, side recordsync.Side, ids []adapter.ID) ([]*recordsync.Link, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = idText(id)
	}
	var rows []syncLink
	where, args := l.where(model)
	err := l.store.db.NewSelect().Model(&rows).Where(where, args...).Where("? IN ?", bun.Ident(side.String()), bun.Tuple(texts)).Scan(ctx)
	if err != nil {
		return nil, err
	}
	return linksOf(rows)
}

// Select implements recordsync.Links.
func (l *syncLinks) Select(ctx context.Context, model string, want recordsync.Want) ([]*recordsync.Link, error) {
	var rows []syncLink
	where, args := l.where(model)
	q := l.store.db.NewSelect().Model(&rows).Where(where, args...).Where("id > ?", want.After).Order("id")
	switch want.Kind {
	case recordsync.WantPending:
		q = q.Where("pending")
	case recordsync.WantLate:
		q = q.Where("NOT pending").Where("late OR (? AND refused) OR (run = ? AND run <> '' AND step = ?)", want.Retry, want.Run, want.Step)
	case recordsync.WantConflicts:
		q = q.Where("conflict")
	case recordsync.WantRefused:
		q = q.Where("refused")
	}
	if want.Limit > 0 {
		q = q.Limit(int64(want.Limit))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	return linksOf(rows)
}

func linksOf(rows []syncLink) ([]*recordsync.Link, error) {
	out := make([]*recordsync.Link, len(rows))
	for i := range rows {
		out[i] = new(recordsync.Link)
		if err := adapter.DecodeJSON([]byte(rows[i].Body), out[i]); err != nil {
			return nil, err
		}
		out[i].ID = rows[i].ID
	}
	return out, nil
}

func (l *syncLinks) row(model string, link *recordsync.Link) (*syncLink, error) {
	body, err := json.Marshal(link)
	if err != nil {
		return nil, err
	}
	pending := recordsync.Want{Kind: recordsync.WantPending}
	conflict := recordsync.Want{Kind: recordsync.WantConflicts}
	return &syncLink{
		ID: link.ID, TenantID: l.pair.TenantID, SourceRef: l.pair.SourceRef, TargetRef: l.pair.TargetRef, Words: l.pair.Words, Model: model,
		Source: idText(link.IDs[recordsync.Source]), Target: idText(link.IDs[recordsync.Target]),
		Pending: pending.Has(link), Late: link.Late || link.Choice != "", Conflict: conflict.Has(link), Refused: link.Refusal != nil,
		Run: link.Run, Step: link.Step, Body: string(body),
	}, nil
}

// Save implements recordsync.Links.
func (l *syncLinks) Save(ctx context.Context, model string, links []*recordsync.Link, state *recordsync.State) error {
	var fresh []*syncLink
	var places []*recordsync.Link
	err := l.store.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		fresh, places = nil, nil
		where, args := l.where(model)
		for _, link := range links {
			if link.Dropped {
				if _, err := tx.NewDelete().Model((*syncLink)(nil)).Where(where, args...).Where("id = ?", link.ID).Exec(ctx); err != nil {
					return err
				}
			}
		}
		for _, link := range links {
			if link.Dropped {
				continue
			}
			row, err := l.row(model, link)
			if err != nil {
				return err
			}
			if row.ID == 0 {
				fresh, places = append(fresh, row), append(places, link)
				continue
			}
			if _, err := tx.NewUpdate().Model(row).WherePK().Where(where, args...).Exec(ctx); err != nil {
				return err
			}
		}
		if len(fresh) > 0 {
			if _, err := tx.NewInsert().Model(&fresh).Exec(ctx); err != nil {
				return err
			}
		}
		if state == nil {
			return nil
		}
		body, err := json.Marshal(state)
		if err != nil {
			return err
		}
		row := l.state(model)
		row.Body = string(body)
		_, err = tx.NewInsert().Model(row).On("CONFLICT (source_ref, target_ref, words, model) DO UPDATE").Set("body = EXCLUDED.body").Exec(ctx)
		return err
	})
	if isUniqueViolation(err) {
		return recordsync.AlreadyLinked(model)
	}
	if err == nil {
		for i, link := range places {
			link.ID = fresh[i].ID
		}
	}
	return err
}

func (l *syncLinks) state(model string) *syncState {
	return &syncState{TenantID: l.pair.TenantID, SourceRef: l.pair.SourceRef, TargetRef: l.pair.TargetRef, Words: l.pair.Words, Model: model, LeaseUntil: now()}
}

// State implements recordsync.Links.
func (l *syncLinks) State(ctx context.Context, model string) (recordsync.State, error) {
	var row syncState
	var state recordsync.State
	where, args := l.where(model)
	err := l.store.db.NewSelect().Model(&row).Where(where, args...).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && row.Body == "" {
		return state, nil
	}
	if err == nil {
		err = adapter.DecodeJSON([]byte(row.Body), &state)
	}
	return state, err
}

// Lease implements recordsync.Links. An operation that has ended holds nothing.
func (l *syncLinks) Lease(ctx context.Context, model, holder string, d time.Duration) error {
	where, args := l.where(model)
	at, err := l.store.Now(ctx)
	if err != nil {
		return err
	}
	update := func() *bun.UpdateQuery {
		return l.store.db.NewUpdate().Model((*syncState)(nil)).Where(where, args...)
	}
	if d <= 0 {
		_, err := update().Set("holder = ''").Where("holder = ?", holder).Exec(ctx)
		return err
	}
	if _, err := l.store.db.NewInsert().Model(l.state(model)).On("CONFLICT (source_ref, target_ref, words, model) DO NOTHING").Exec(ctx); err != nil {
		return err
	}
	ended := l.store.db.NewSelect().Model((*Operation)(nil)).Column("id").Where("state IN (?, ?, ?)", Succeeded, Failed, Cancelled)
	for {
		res, err := update().Set("holder = ?", holder).Set("lease_until = ?", at.Add(d)).
			Where("holder IN ('', ?) OR lease_until < ? OR holder IN (?)", holder, at, ended).Exec(ctx)
		if err = lost(res, err); !errors.Is(err, ErrLeaseLost) {
			return err
		}
		if err := l.busy(ctx, model); err != nil {
			return err
		}
	}
}

// OperationHolder is what an operation's id follows in the name of who has a pair.
const OperationHolder = "operation "

// busy says who has the pair; nil is nobody any more.
func (l *syncLinks) busy(ctx context.Context, model string) error {
	var row syncState
	where, args := l.where(model)
	if err := l.store.db.NewSelect().Model(&row).Where(where, args...).Scan(ctx); err != nil {
		return err
	}
	by := row.Holder
	if by == "" {
		return nil
	}
	if uuid.Validate(by) == nil {
		by = OperationHolder + by
	}
	return recordsync.Busy(model, by, row.LeaseUntil)
}
