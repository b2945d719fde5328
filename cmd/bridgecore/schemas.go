package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/migrate/odoo"
)

// snapshots are the schemas of Odoo Community that are part of the program.
func snapshots(version, model string) (*adapter.Schema, bool) {
	all, known := odoo.Snapshot(version)
	if !known {
		return nil, false
	}
	s, known := all[model]
	return s, known
}

// snapshotOf is the model in the snapshot, nil where that lacks it.
func snapshotOf(version, model string) *adapter.Schema {
	s, _ := snapshots(version, model)
	return s
}

// schemaRequest says where the schema of a model comes from.
type schemaRequest struct {
	from, tenant   string
	version, model string
	flag           string // that asked
}

// schema returns a schema from the snapshot, from a file, or from a registered
// system.
func (w world) schema(ctx context.Context, r schemaRequest) (*adapter.Schema, error) {
	if id, ok := strings.CutPrefix(r.from, "system:"); ok {
		return w.liveSchema(ctx, r, id)
	}
	if r.from != "snapshot" {
		b, err := os.ReadFile(r.from)
		if err != nil {
			return nil, misused("%s: %w; it is snapshot, a file, or system:ID", r.flag, err)
		}
		s, err := fieldsGet(b)
		if err != nil {
			return nil, misused("%s: %s holds no answer of fields_get: %w", r.flag, r.from, err)
		}
		s.Model = r.model
		return s, nil
	}
	if _, known := odoo.Snapshot(r.version); !known {
		return nil, misused("%s: there is no snapshot of version %s; there are %s. Name a file or a system", r.flag, r.version, strings.Join(odoo.Versions(), ", "))
	}
	s := snapshotOf(r.version, r.model)
	if s == nil {
		return nil, misused("%s: the snapshot of version %s has no model %s; name a file with an answer of fields_get, or a system", r.flag, r.version, r.model)
	}
	return s, nil
}

// liveSchema asks a registered system.
func (w world) liveSchema(ctx context.Context, r schemaRequest, id string) (*adapter.Schema, error) {
	c, err := w.config()
	if err != nil {
		return nil, err
	}
	if _, err := c.FillSecrets(); err != nil {
		return nil, err
	}
	srv, err := assemble(ctx, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, err
	}
	defer srv.close()
	tenants, err := srv.store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		if t.Name != r.tenant {
			continue
		}
		sys, err := srv.bridge.System(ctx, bridge.Caller{Tenant: systems.Tenant(t.ID), User: "command line"}, id)
		if err != nil {
			return nil, err
		}
		answer, err := sys.Fields(ctx, r.model)
		if err != nil {
			return nil, err
		}
		s := new(adapter.Schema)
		return s, json.Unmarshal(answer.Result, s)
	}
	return nil, misused("--tenant: there is no tenant %q", r.tenant)
}

// fieldsGet reads an answer of Odoo's fields_get; it may be the "result" or
// the "fields" of an object.
func fieldsGet(b []byte) (*adapter.Schema, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	for _, member := range []string{"result", "fields"} {
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw[member], &inner) == nil && inner != nil && inner["type"] == nil {
			raw = inner
		}
	}
	s := &adapter.Schema{Fields: map[string]adapter.Field{}}
	for name, text := range raw {
		var f struct {
			Type      string    `json:"type"`
			Relation  string    `json:"relation"`
			Required  truth     `json:"required"`
			Readonly  truth     `json:"readonly"`
			Store     truth     `json:"store"`
			Selection selection `json:"selection"`
		}
		if err := json.Unmarshal(text, &f); err != nil || f.Type == "" {
			return nil, fmt.Errorf("%q does not describe a field", name)
		}
		field := adapter.Field{
			Type: adapter.FieldType(f.Type), Relation: f.Relation, Selection: f.Selection,
			Required: bool(f.Required), Readonly: bool(f.Readonly), Stored: bool(f.Store),
		}
		if !slices.Contains(fieldTypes, field.Type) {
			field.Type, field.Native = adapter.Unknown, f.Type
		}
		s.Fields[name] = field
	}
	if len(s.Fields) == 0 {
		return nil, errors.New("it describes no field")
	}
	return s, nil
}

var fieldTypes = []adapter.FieldType{
	adapter.Boolean, adapter.Integer, adapter.Float, adapter.Monetary, adapter.Char, adapter.Text, adapter.HTML, adapter.Date, adapter.DateTime,
	adapter.Binary, adapter.Selection, adapter.Many2One, adapter.One2Many, adapter.Many2Many, adapter.Reference, adapter.JSON, adapter.Properties,
}

// truth is a boolean of fields_get, which some versions write as 1.
type truth bool

// UnmarshalJSON takes anything.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == "1"
	return nil
}

// selection is a list of pairs of key and label; a key may be false.
type selection []adapter.Option

// UnmarshalJSON reads Odoo's form and ours; anything else is no list of keys.
func (s *selection) UnmarshalJSON(b []byte) error {
	var pairs [][2]any
	if json.Unmarshal(b, &pairs) == nil {
		for _, p := range pairs {
			if key, ok := p[0].(string); ok {
				label, _ := p[1].(string)
				*s = append(*s, adapter.Option{Value: key, Label: label})
			}
		}
		return nil
	}
	var options []adapter.Option
	if json.Unmarshal(b, &options) == nil {
		*s = options
	}
	return nil
}
