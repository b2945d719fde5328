package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type auditInput struct {
	Username  string    `query:"user" maxLength:"255" doc:"Only what this user did" example:"admin"`
	Action    string    `query:"action" maxLength:"100" doc:"Only this action: login, create, write, unlink, a method's name, registerSystem and so on" example:"write"`
	SystemID  string    `query:"system_id" maxLength:"255" doc:"Only on this system" example:"odoo_main"`
	Model     string    `query:"model" maxLength:"128" doc:"Only on this model" example:"res.partner"`
	Outcome   string    `query:"outcome" maxLength:"64" doc:"ok, error (everything else), or the code of an error" example:"error"`
	RequestID string    `query:"request_id" maxLength:"64" doc:"Only this request"`
	From      time.Time `query:"from" doc:"From this moment on" example:"2026-01-01T00:00:00Z"`
	To        time.Time `query:"to" doc:"Until before this moment" example:"2026-02-01T00:00:00Z"`
	Cursor    string    `query:"cursor" maxLength:"20" doc:"next_cursor of an earlier answer"`
	Limit     int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most this many"`
}

type auditOutput struct {
	Entries    []auditEntry `json:"entries" nullable:"false" doc:"The newest first"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Send it as cursor for older entries; absent at the end"`
}

type auditEntry struct {
	Seq        int64           `json:"seq" doc:"The entry's number in the tenant's log, without gaps" example:"17"`
	At         time.Time       `json:"at"`
	UserID     int64           `json:"user_id,omitempty"`
	Username   string          `json:"user" example:"admin"`
	Action     string          `json:"action" example:"write"`
	SystemID   string          `json:"system_id,omitempty" example:"odoo_main"`
	Model      string          `json:"model,omitempty" example:"res.partner"`
	RecordIDs  json.RawMessage `json:"record_ids" doc:"The records, 200 at most"`
	Outcome    string          `json:"outcome" doc:"ok, or the code of the error" example:"ok"`
	Status     int             `json:"status" doc:"Of the answer" example:"200"`
	DurationMS float64         `json:"duration_ms" example:"12.5"`
	RequestID  string          `json:"request_id"`
	Address    string          `json:"ip" example:"192.0.2.1"`
	Agent      string          `json:"user_agent"`
	Details    json.RawMessage `json:"details" doc:"changes: what the systems acknowledged, with the names of the fields, or keyed hashes of their values"`
	Hash       string          `json:"hash" doc:"Covers the entry and the one before it"`
}

func (a *API) registerAudit() {
	register(a, route{
		id: "listAuditEntries", method: http.MethodGet, path: "/api/v1/audit", tag: "Audit", admin: true,
		summary: "Who did what",
		description: "The tenant's log, the newest entries first. Everything that may change something is recorded before it is acknowledged, " +
			"logins and refusals too; reads only where the server is configured so. Entries form a chain of hashes: `bridgecore audit verify` checks it.",
		errors: []int{422},
	}, func(ctx context.Context, in *auditInput) (*body[auditOutput], error) {
		f := store.AuditFilter{
			Username: in.Username, Action: in.Action, SystemID: in.SystemID, Model: in.Model, Outcome: in.Outcome,
			RequestID: in.RequestID, From: in.From, To: in.To, Limit: in.Limit + 1,
		}
		if in.Cursor != "" {
			seq, err := strconv.ParseInt(in.Cursor, 10, 64)
			if err != nil || seq < 1 {
				return nil, invalid("cursor", "is none that an earlier answer gave")
			}
			f.Before = seq
		}
		list, err := a.Store.Audit(ctx, callFrom(ctx).identity.TenantID, f)
		if err != nil {
			return nil, err
		}
		out := auditOutput{Entries: make([]auditEntry, 0, len(list))}
		if len(list) > in.Limit {
			list = list[:in.Limit]
			out.NextCursor = strconv.FormatInt(list[in.Limit-1].Seq, 10)
		}
		for i := range list {
			e := &list[i]
			out.Entries = append(out.Entries, auditEntry{
				Seq: e.Seq, At: e.At.UTC(), UserID: e.UserID, Username: e.Username, Action: e.Action, SystemID: e.SystemID, Model: e.Model,
				RecordIDs: json.RawMessage(e.RecordIDs), Outcome: e.Outcome, Status: e.Status, DurationMS: float64(e.DurationUS) / 1000,
				RequestID: e.RequestID, Address: e.Address, Agent: e.Agent, Details: json.RawMessage(e.Details), Hash: e.Hash,
			})
		}
		return &body[auditOutput]{out}, nil
	})
}
