package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// AuditEntry is one thing that somebody did or tried. The entries of a tenant
// form a chain: each one's Hash covers the one before it.
type AuditEntry struct {
	bun.BaseModel `bun:"table:audit_log" json:"-"`

	TenantID   int64     `bun:",pk" json:"-"`
	Seq        int64     `bun:",pk" json:"seq"`
	At         time.Time `json:"at"`
	UserID     int64     `json:"user_id"`
	Username   string    `json:"username"`
	Action     string    `json:"action"`
	SystemID   string    `json:"system_id"`
	Model      string    `json:"model"`
	RecordIDs  string    `bun:"record_ids" json:"record_ids"` // a JSON list
	Outcome    string    `json:"outcome"`                     // "ok", or the code of the error
	Status     int       `json:"status"`                      // of the HTTP answer
	DurationUS int64     `bun:"duration_us" json:"duration_us"`
	RequestID  string    `json:"request_id"`
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
	Details    string    `json:"details"` // a JSON object
	Hash       string    `json:"hash"`
}

// auditChain is where a tenant's chain begins and ends.
type auditChain struct {
	bun.BaseModel `bun:"table:audit_chains"`

	TenantID  int64 `bun:",pk"`
	Seq       int64
	Hash      string
	StartSeq  int64  // of the last entry that was deleted by age
	StartHash string // of that entry
}

// digest is the entry's hash after one with the hash before. It covers every
// member but Hash.
func (e *AuditEntry) digest(before string) string {
	clone := *e
	clone.Hash = ""
	clone.At = clone.At.UTC()
	b, err := json.Marshal(struct {
		Before string      `json:"before"`
		Tenant int64       `json:"tenant_id"`
		Entry  *AuditEntry `json:"entry"`
	}{before, e.TenantID, &clone})
	if err != nil {
		return "" // texts and numbers can be written
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// AppendAudit adds entries to their tenants' chains, all or none, and fills in
// Seq, At (unless it is set) and Hash. Once it returns they are durable.
func (s *Store) AppendAudit(ctx context.Context, entries []*AuditEntry) error {
	// By tenant, so that two servers never wait for each other.
	ordered := slices.Clone(entries)
	slices.SortStableFunc(ordered, func(a, b *AuditEntry) int { return cmp.Compare(a.TenantID, b.TenantID) })
	return s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		for len(ordered) > 0 {
			tenant := ordered[0].TenantID
			n := 1
			for n < len(ordered) && ordered[n].TenantID == tenant {
				n++
			}
			if err := s.appendAudit(ctx, tx, tenant, ordered[:n]); err != nil {
				return err
			}
			ordered = ordered[n:]
		}
		return nil
	})
}

func (s *Store) appendAudit(ctx context.Context, tx bun.Tx, tenant int64, entries []*AuditEntry) error {
	chain, err := s.lockChain(ctx, tx, tenant)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.At.IsZero() {
			e.At = now()
		}
		e.At = e.At.UTC().Truncate(time.Microsecond)
		e.Seq = chain.Seq + 1
		e.Hash = e.digest(chain.Hash)
		chain.Seq, chain.Hash = e.Seq, e.Hash
	}
	if _, err := tx.NewInsert().Model(&entries).Exec(ctx); err != nil {
		return err
	}
	_, err = tx.NewUpdate().Model(chain).Column("seq", "hash").WherePK().Exec(ctx)
	return err
}

// lockChain returns the chain of a tenant, which nobody else changes until the
// transaction ends. SQLite's transactions exclude each other as they are.
func (s *Store) lockChain(ctx context.Context, tx bun.Tx, tenant int64) (*auditChain, error) {
	chain := &auditChain{TenantID: tenant}
	if _, err := tx.NewInsert().Model(chain).On("CONFLICT (tenant_id) DO NOTHING").Exec(ctx); err != nil {
		return nil, err
	}
	q := tx.NewSelect().Model(chain).WherePK()
	if s.db.Dialect().Name().String() == "pg" {
		q = q.For("UPDATE")
	}
	return chain, q.Scan(ctx)
}

// AuditFilter selects entries. Members that are zero select nothing out.
type AuditFilter struct {
	UserID    int64
	Username  string
	Action    string
	SystemID  string
	Model     string
	Outcome   string // "error" is everything but "ok"
	RequestID string
	From, To  time.Time // To is excluded
	Before    int64     // entries with a smaller Seq
	Limit     int       // at most; 0 is 100
}

// Audit returns entries of a tenant, the newest first.
func (s *Store) Audit(ctx context.Context, tenantID int64, f AuditFilter) ([]AuditEntry, error) {
	var list []AuditEntry
	q := s.db.NewSelect().Model(&list).Where("tenant_id = ?", tenantID).Order("seq DESC").Limit(int64(or(f.Limit, 100)))
	for column, value := range map[string]string{
		"username": f.Username, "action": f.Action, "system_id": f.SystemID, "model": f.Model, "request_id": f.RequestID,
	} {
		if value != "" {
			q = q.Where("? = ?", bun.Ident(column), value)
		}
	}
	switch f.Outcome {
	case "":
	case "error":
		q = q.Where("outcome <> 'ok'")
	default:
		q = q.Where("outcome = ?", f.Outcome)
	}
	if f.UserID != 0 {
		q = q.Where("user_id = ?", f.UserID)
	}
	if !f.From.IsZero() {
		q = q.Where("at >= ?", f.From.UTC())
	}
	if !f.To.IsZero() {
		q = q.Where("at < ?", f.To.UTC())
	}
	if f.Before != 0 {
		q = q.Where("seq < ?", f.Before)
	}
	return list, q.Scan(ctx)
}

// AuditTenants returns the tenants that have a chain.
func (s *Store) AuditTenants(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := s.db.NewSelect().Model((*auditChain)(nil)).Column("tenant_id").Order("tenant_id").Scan(ctx, &ids)
	return ids, err
}

// AuditHead is the end of a chain. Kept elsewhere, it shows later that the
// chain up to it is still the same.
type AuditHead struct {
	Entries int64 // that were verified
	Seq     int64
	Hash    string
}

// BrokenChainError says where a chain is not what was written.
type BrokenChainError struct {
	Seq    int64
	Reason string
}

// Error names the entry.
func (e *BrokenChainError) Error() string {
	return fmt.Sprintf("the audit log is broken at entry %d: %s", e.Seq, e.Reason)
}

// VerifyAudit reads a tenant's whole chain and returns its end, or a
// *BrokenChainError. expect are hashes by Seq that were noted earlier.
func (s *Store) VerifyAudit(ctx context.Context, tenantID int64, expect map[int64]string) (AuditHead, error) {
	chain := auditChain{TenantID: tenantID}
	err := s.db.NewSelect().Model(&chain).WherePK().Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return AuditHead{}, nil
	}
	if err != nil {
		return AuditHead{}, err
	}
	head := AuditHead{Seq: chain.StartSeq, Hash: chain.StartHash}
	const page = 1000
	for {
		var list []AuditEntry
		err := s.db.NewSelect().Model(&list).Where("tenant_id = ? AND seq > ?", tenantID, head.Seq).Order("seq").Limit(page).Scan(ctx)
		if err != nil {
			return head, err
		}
		for i := range list {
			e := &list[i]
			switch {
			case e.Seq != head.Seq+1:
				return head, &BrokenChainError{head.Seq + 1, "it is missing"}
			case e.digest(head.Hash) != e.Hash:
				return head, &BrokenChainError{e.Seq, "it was changed"}
			case expect[e.Seq] != "" && expect[e.Seq] != e.Hash:
				return head, &BrokenChainError{e.Seq, "it is another one than was noted"}
			}
			head = AuditHead{head.Entries + 1, e.Seq, e.Hash}
		}
		if len(list) < page {
			break
		}
	}
	// Entries may have been added while the chain was read, none taken away.
	if head.Seq < chain.Seq {
		return head, &BrokenChainError{head.Seq + 1, "it is missing, and so is everything after it"}
	}
	for seq := range expect {
		if seq > head.Seq {
			return head, &BrokenChainError{seq, "it was noted and is missing"}
		}
	}
	return head, nil
}

// PurgeAudit deletes the entries of all tenants that are older than before, and
// returns how many. The rest of each chain stays verifiable.
func (s *Store) PurgeAudit(ctx context.Context, before time.Time) (int64, error) {
	tenants, err := s.AuditTenants(ctx)
	if err != nil {
		return 0, err
	}
	var deleted int64
	for _, tenant := range tenants {
		n, err := s.purgeAudit(ctx, tenant, before.UTC())
		if err != nil {
			return deleted, err
		}
		deleted += n
	}
	return deleted, nil
}

func (s *Store) purgeAudit(ctx context.Context, tenant int64, before time.Time) (deleted int64, err error) {
	err = s.db.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		chain, err := s.lockChain(ctx, tx, tenant)
		if err != nil {
			return err
		}
		// The chain goes from its beginning: up to the first entry that stays.
		var first AuditEntry
		last := chain.Seq
		err = tx.NewSelect().Model(&first).Where("tenant_id = ? AND at >= ?", tenant, before).Order("seq").Limit(1).Scan(ctx)
		switch {
		case err == nil:
			last = first.Seq - 1
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if last <= chain.StartSeq {
			return nil
		}
		var end AuditEntry
		if err := tx.NewSelect().Model(&end).Where("tenant_id = ? AND seq = ?", tenant, last).Scan(ctx); err != nil {
			return err
		}
		res, err := tx.NewDelete().Model((*AuditEntry)(nil)).Where("tenant_id = ? AND seq <= ?", tenant, last).Exec(ctx)
		if err != nil {
			return err
		}
		if deleted, err = res.RowsAffected(); err != nil {
			return err
		}
		chain.StartSeq, chain.StartHash = end.Seq, end.Hash
		_, err = tx.NewUpdate().Model(chain).Column("start_seq", "start_hash").WherePK().Exec(ctx)
		return err
	})
	return deleted, err
}
