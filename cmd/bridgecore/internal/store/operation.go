package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/bridgecore/bridgecore/adapter"
)

// OperationState is where an operation stands.
type OperationState string

// The states. The last three are final; only a retry leaves them.
const (
	Queued    OperationState = "queued"
	Running   OperationState = "running"
	Succeeded OperationState = "succeeded"
	Failed    OperationState = "failed"
	Cancelled OperationState = "cancelled"
)

// Final reports whether nothing more happens by itself.
func (s OperationState) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Operation is work that outlives the request that asked for it. It is done in
// short slices, by one worker at a time: the one that holds the lease.
type Operation struct {
	bun.BaseModel `bun:"table:operations"`

	ID       string `bun:",pk"` // a UUID of version 7: ids are in the order of time
	TenantID int64
	UserID   int64 // who started it, and as whom it is done
	Username string
	Kind     string
	SystemID string // the system it is about, if it is one
	// RequestID is that of the request that started it.
	RequestID  string
	Parameters string // JSON, as the kind has it
	State      OperationState
	Done       int64 // of Total
	Total      int64
	Message    string // how it goes, for people: kept for readers of any language, or a text
	Cursor     string // JSON: where to go on, as the kind has it
	Result     string // JSON: the sum of it
	Error      string // JSON: the members of an error body
	Attempts   int64  // failures in a row that were tried again
	Claims     int64  // times it was taken up since it last got further
	Crashes    int64  // times its worker died at it since it last got further
	Cancel     bool   // somebody wants it to end
	// Revision grows with every change that others are to hear of.
	Revision   int64
	Worker     string // who holds the lease, "" for nobody
	LeaseUntil time.Time
	NextAt     time.Time // not taken up before
	CreatedAt  time.Time
	UpdatedAt  time.Time
	StartedAt  *time.Time
	FinishedAt *time.Time
	ExpiresAt  *time.Time // it is deleted then
}

// operationPart is a piece of an operation's result.
type operationPart struct {
	bun.BaseModel `bun:"table:operation_parts"`

	OperationID string `bun:",pk"`
	Seq         int64  `bun:",pk"`
	Body        string
}

// ErrLeaseLost means that another worker has taken the operation up.
var ErrLeaseLost = errors.New("the operation is no longer this worker's")

var errNoOperation = adapter.Errorf(adapter.NotFound, "there is no such operation")

// CreateOperation adds an operation that waits to be done.
func (s *Store) CreateOperation(ctx context.Context, op *Operation) error {
	at, err := s.Now(ctx)
	if err != nil {
		return err
	}
	op.State, op.Revision = Queued, 1
	op.CreatedAt, op.UpdatedAt, op.NextAt = at, at, at
	_, err = s.db.NewInsert().Model(op).Exec(ctx)
	return err
}

// Operation returns one operation whoever's it is.
func (s *Store) Operation(ctx context.Context, id string) (Operation, error) {
	var op Operation
	err := s.db.NewSelect().Model(&op).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return op, errNoOperation
	}
	return op, err
}

// OperationOf returns one operation of a tenant; of a user's own unless userID
// is 0.
func (s *Store) OperationOf(ctx context.Context, tenantID, userID int64, id string) (Operation, error) {
	op, err := s.Operation(ctx, id)
	if err == nil && (op.TenantID != tenantID || userID != 0 && op.UserID != userID) {
		return Operation{}, errNoOperation
	}
	return op, err
}

// OperationFilter selects operations. Members that are zero select nothing out.
type OperationFilter struct {
	TenantID, UserID int64
	Kind             string
	State            OperationState
	Before           string // ids that are smaller, which are older
	Limit            int    // at most; 0 is 100
}

// Operations returns operations, the newest first, without their parameters and
// cursors.
func (s *Store) Operations(ctx context.Context, f OperationFilter) ([]Operation, error) {
	var list []Operation
	q := s.db.NewSelect().Model(&list).ExcludeColumn("parameters", "cursor").Order("id DESC").Limit(int64(or(f.Limit, 100)))
	if f.TenantID != 0 {
		q = q.Where("tenant_id = ?", f.TenantID)
	}
	if f.UserID != 0 {
		q = q.Where("user_id = ?", f.UserID)
	}
	if f.Kind != "" {
		q = q.Where("kind = ?", f.Kind)
	}
	if f.State != "" {
		q = q.Where("state = ?", f.State)
	}
	if f.Before != "" {
		q = q.Where("id < ?", f.Before)
	}
	return list, q.Scan(ctx)
}

// ClaimOperation takes an operation up for a worker, if it is due and nobody
// else holds it, by the database's clock: its UpdatedAt is the time by that
// clock. false means that it can't be had now.
func (s *Store) ClaimOperation(ctx context.Context, id, worker string, lease time.Duration) (Operation, bool, error) {
	at := s.after(0)
	res, err := s.db.NewUpdate().Model((*Operation)(nil)).
		Set("worker = ?", worker).Set("lease_until = ?", s.after(lease)).
		Set("state = ?", Running).Set("claims = claims + 1").Set(orphaned).Set("revision = revision + 1").
		Set("started_at = COALESCE(started_at, ?)", at).Set("updated_at = ?", at).
		Where("id = ?", id).Where("state IN (?, ?)", Queued, Running).Where("next_at <= ?", at).
		Where("worker = '' OR lease_until < ?", at).Exec(ctx)
	if err != nil {
		return Operation{}, false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return Operation{}, false, err
	}
	op, err := s.Operation(ctx, id)
	return op, err == nil, err
}

// orphaned counts that the worker which had an operation went without giving it
// back. It comes where the worker is set anew.
const orphaned = "crashes = crashes + CASE WHEN worker = '' THEN 0 ELSE 1 END"

// KeepOperation prolongs the lease, and reports whether the operation is to be
// cancelled. It fails with ErrLeaseLost where the worker has it no more.
func (s *Store) KeepOperation(ctx context.Context, op *Operation, lease time.Duration) (cancel bool, err error) {
	res, err := s.held(op).Set("lease_until = ?", s.after(lease)).Exec(ctx)
	if err := lost(res, err); err != nil {
		return false, err
	}
	err = s.db.NewSelect().Model((*Operation)(nil)).Column("cancel").Where("id = ?", op.ID).Scan(ctx, &cancel)
	return cancel, err
}

// SaveOperation makes durable how far an operation got, together with a part of
// its result unless that is "". It fails with ErrLeaseLost where the worker has
// it no more; then nothing is saved.
func (s *Store) SaveOperation(ctx context.Context, op *Operation, part string) error {
	return s.writeOperation(ctx, op, part, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q })
}

// ReleaseOperation is SaveOperation at the end of a slice: it gives the lease
// back, in the state, at the time and with the error that op has.
func (s *Store) ReleaseOperation(ctx context.Context, op *Operation) error {
	return s.writeOperation(ctx, op, "", func(q *bun.UpdateQuery) *bun.UpdateQuery {
		q = q.Set("worker = ''").Set("next_at = ?", op.NextAt.UTC()).Set("error = ?", op.Error).Set("state = ?", op.State)
		if op.State.Final() {
			q = q.Set("finished_at = ?", op.FinishedAt).Set("expires_at = ?", op.ExpiresAt)
		}
		return q
	})
}

func (s *Store) writeOperation(ctx context.Context, op *Operation, part string, also func(*bun.UpdateQuery) *bun.UpdateQuery) error {
	op.UpdatedAt = s.Clock().Truncate(time.Microsecond)
	return s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		q := also(tx.NewUpdate().Model((*Operation)(nil)).
			Set("done = ?", op.Done).Set("total = ?", op.Total).Set("message = ?", op.Message).
			Set("cursor = ?", op.Cursor).Set("result = ?", op.Result).Set("attempts = ?", op.Attempts).Set("claims = ?", op.Claims).Set("crashes = ?", op.Crashes).
			Set("revision = revision + 1").Set("updated_at = ?", s.after(0)).
			Where("id = ?", op.ID).Where("worker = ?", op.Worker).Where("state = ?", Running))
		res, err := q.Exec(ctx)
		if err := lost(res, err); err != nil {
			return err
		}
		op.Revision++
		if part == "" {
			return nil
		}
		var seq int64
		if err := tx.NewSelect().Model((*operationPart)(nil)).ColumnExpr("COALESCE(MAX(seq), 0)").Where("operation_id = ?", op.ID).Scan(ctx, &seq); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&operationPart{OperationID: op.ID, Seq: seq + 1, Body: part}).Exec(ctx)
		return err
	})
}

// held is an update of an operation that the worker still has.
func (s *Store) held(op *Operation) *bun.UpdateQuery {
	return s.db.NewUpdate().Model((*Operation)(nil)).Where("id = ?", op.ID).Where("worker = ?", op.Worker).Where("state = ?", Running)
}

func lost(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrLeaseLost
}

// OperationParts returns the parts of an operation's result, the first first.
func (s *Store) OperationParts(ctx context.Context, id string) ([]string, error) {
	var bodies []string
	err := s.db.NewSelect().Model((*operationPart)(nil)).Column("body").Where("operation_id = ?", id).Order("seq").Scan(ctx, &bodies)
	return bodies, err
}

// CancelOperation ends an operation that nobody works on, and asks the worker
// of one that is worked on to end it. One that has ended is ErrConflict.
func (s *Store) CancelOperation(ctx context.Context, id string, retention time.Duration) error {
	at := s.after(0)
	res, err := s.db.NewUpdate().Model((*Operation)(nil)).
		Set("cancel = ?", true).Set("revision = revision + 1").Set("updated_at = ?", at).
		Where("id = ?", id).Where("state IN (?, ?)", Queued, Running).Exec(ctx)
	if err := lost(res, err); err != nil {
		if errors.Is(err, ErrLeaseLost) {
			return adapter.Errorf(adapter.Conflict, "the operation has ended already")
		}
		return err
	}
	_, err = s.db.NewUpdate().Model((*Operation)(nil)).
		Set("state = ?", Cancelled).Set("worker = ''").Set("finished_at = ?", at).Set("expires_at = ?", s.after(retention)).Set("revision = revision + 1").
		Where("id = ?", id).Where("state IN (?, ?)", Queued, Running).
		Where("worker = '' OR lease_until < ?", at).Exec(ctx)
	return err
}

// RetryOperation puts an operation that failed or was cancelled back to where
// it stopped. Any other is ErrConflict.
func (s *Store) RetryOperation(ctx context.Context, id string) error {
	at := s.after(0)
	res, err := s.db.NewUpdate().Model((*Operation)(nil)).
		Set("state = ?", Queued).Set("cancel = ?", false).Set("attempts = 0").Set("claims = 0").Set("crashes = 0").Set("error = ''").Set("worker = ''").
		Set("finished_at = NULL").Set("expires_at = NULL").Set("next_at = ?", at).Set("revision = revision + 1").Set("updated_at = ?", at).
		Where("id = ?", id).Where("state IN (?, ?)", Failed, Cancelled).Exec(ctx)
	if err := lost(res, err); errors.Is(err, ErrLeaseLost) {
		return adapter.Errorf(adapter.Conflict, "only an operation that failed or was cancelled can be tried again")
	} else if err != nil {
		return err
	}
	return nil
}

// DueOperations returns operations that should be worked on and that nobody
// has, and that have been due for longer than overdue: their worker died, or
// nobody was told of them. Each is given to one caller alone for that long.
func (s *Store) DueOperations(ctx context.Context, overdue time.Duration) ([]string, error) {
	at := s.after(0)
	var list []Operation
	err := s.db.NewSelect().Model(&list).Column("id", "next_at").
		Where("state IN (?, ?)", Queued, Running).Where("next_at < ?", s.after(-overdue)).
		Where("worker = '' OR lease_until < ?", at).Order("next_at").Limit(100).Scan(ctx)
	if err != nil {
		return nil, err
	}
	var due []string
	for i := range list {
		res, err := s.db.NewUpdate().Model((*Operation)(nil)).Set("worker = ''").Set(orphaned).Set("next_at = ?", at).
			Where("id = ?", list[i].ID).Where("next_at = ?", list[i].NextAt).Where("worker = '' OR lease_until < ?", at).Exec(ctx)
		if err != nil {
			return due, err
		}
		if n, err := res.RowsAffected(); err == nil && n > 0 {
			due = append(due, list[i].ID)
		}
	}
	return due, nil
}

// FreeOperations ends all leases. It is for a database with one process, at its
// start: whoever held them is gone.
func (s *Store) FreeOperations(ctx context.Context) error {
	_, err := s.db.NewUpdate().Model((*Operation)(nil)).Set("worker = ''").Set(orphaned).Where("worker <> ''").Exec(ctx)
	return err
}

// OperationCount is how many operations of a kind are in a state.
type OperationCount struct {
	Kind  string
	State OperationState
	Count int64
}

// CountOperations counts those that are kept, of one tenant unless that is 0.
func (s *Store) CountOperations(ctx context.Context, tenantID int64) ([]OperationCount, error) {
	var list []OperationCount
	q := s.db.NewSelect().Model((*Operation)(nil)).Column("kind", "state").ColumnExpr("COUNT(*) AS count").Group("kind", "state").Order("kind", "state")
	if tenantID != 0 {
		q = q.Where("tenant_id = ?", tenantID)
	}
	return list, q.Scan(ctx, &list)
}

// PurgeExpired deletes operations and idempotency keys whose time is over, and
// returns how many.
func (s *Store) PurgeExpired(ctx context.Context) (int64, error) {
	at, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, model := range []any{(*Operation)(nil), (*KeptAnswer)(nil), (*keptSet)(nil)} {
		res, err := s.db.NewDelete().Model(model).Where("expires_at < ?", at).Exec(ctx)
		if err != nil {
			return total, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// ActiveSystems returns all systems of all tenants that are switched on.
func (s *Store) ActiveSystems(ctx context.Context) ([]System, error) {
	var list []System
	err := s.db.NewSelect().Model(&list).Where("is_active = ?", true).Order("tenant_id", "system_id").Scan(ctx)
	return list, err
}

// SQL is the database itself, for libraries that keep tables of their own in
// it.
func (s *Store) SQL() *sql.DB { return s.db.DB }

// Driver is "sqlite" or "postgres".
func (s *Store) Driver() string {
	if s.db.Dialect().Name().String() == "pg" {
		return "postgres"
	}
	return "sqlite"
}
