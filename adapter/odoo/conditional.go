package odoo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// ETag implements [adapter.Conditional]. Odoo keeps no version of a record and
// tells write_date by the second alone, so the tag is a digest of who wrote the
// record when and of its stored values, in no language: two changes within one
// second have two tags unless the second one takes the first one back. Files,
// images and the records of a one-to-many are left to write_date.
//
// Odoo has no write on a condition. [Client.UpdateIf] and [Client.DeleteIf]
// read the record, compare and change it in a second call, so that somebody
// else's change in between, within the time of one round trip, is overwritten.
func (c *Client) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return "", err
	}
	numbers, err := recordIDs(name, []adapter.ID{id})
	if err != nil {
		return "", err
	}
	// Whoever asks, the record is the same.
	scope := adapter.ScopeFrom(ctx)
	scope.Language = ""
	scope.Values = maps.Clone(scope.Values)
	maps.DeleteFunc(scope.Values, func(name string, _ any) bool { return name == "lang" || name == "bin_size" })
	ctx = adapter.WithScope(ctx, scope)

	var records []adapter.Record
	err = c.settle(ctx, name, func() error {
		m, err := c.modelOf(ctx, name)
		if err != nil {
			return err
		}
		records = nil
		kwargs := map[string]any{"fields": taggedFields(m), "load": "_classic_write"}
		return c.fetch(ctx, &records, name, "read", []any{numbers}, kwargs)
	})
	if err != nil {
		return "", c.orMissing(ctx, name, numbers, err)
	}
	if len(records) == 0 {
		return "", missing(name, numbers)
	}
	return digest(name, records[0])
}

// taggedFields are the fields whose values make a tag.
func taggedFields(m *model) []string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		f := m.Fields[name]
		if !f.Stored || m.isDenied(name) {
			continue
		}
		switch f.Type {
		case adapter.Binary, adapter.One2Many, adapter.Unknown:
			continue
		}
		fields = append(fields, name)
	}
	return fields
}

func digest(name string, r adapter.Record) (string, error) {
	// Marshal sorts the names.
	b, err := json.Marshal(r)
	if err != nil {
		return "", &adapter.Error{Code: adapter.Internal, Model: name, Message: "the record can't be written as JSON", Err: fmt.Errorf("odoo: %w", err)}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// UpdateIf implements [adapter.Conditional], with the reservation that
// [Client.ETag] has.
func (c *Client) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	if err := c.unchanged(ctx, model, id, etag); err != nil {
		return err
	}
	return c.Update(ctx, model, []adapter.ID{id}, values)
}

// DeleteIf implements [adapter.Conditional], with the reservation that
// [Client.ETag] has.
func (c *Client) DeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	if err := c.unchanged(ctx, model, id, etag); err != nil {
		return err
	}
	return c.Delete(ctx, model, []adapter.ID{id})
}

func (c *Client) unchanged(ctx context.Context, model string, id adapter.ID, etag string) error {
	now, err := c.ETag(ctx, model, id)
	if err != nil {
		return err
	}
	if now == etag {
		return nil
	}
	return &adapter.Error{Code: adapter.PreconditionFailed, Model: model, Message: "record " + id.String() + " has changed since it was read; read it again"}
}
