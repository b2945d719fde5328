package bridge

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// universalOperations are the unified operations that the universal vocabulary
// has, each with what the caller must be allowed to call.
var universalOperations = map[string]func(*topic, context.Context, *operation, *OperationRequest) (Answer, error){
	"search_read":  (*topic).operateSearchRead,
	"read":         (*topic).operateByID,
	"search":       (*topic).operateSearch,
	"search_count": (*topic).operateCount,
	"name_search":  (*topic).operateNames,
	"fields_get":   (*topic).operateFields,
	"exists":       (*topic).operateExists,
	"create":       (*topic).operateCreate,
	"write":        (*topic).operateWrite,
	"unlink":       (*topic).operateUnlink,
}

func (s *System) universalOperation(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	run := universalOperations[op.name]
	if run == nil {
		return Answer{}, &adapter.Error{
			Code: adapter.Unsupported, Model: r.Model, Field: "operation",
			Message: op.name + " is not in the universal vocabulary, which has " + strings.Join(slices.Sorted(maps.Keys(universalOperations)), ", ") + "; ask in the system's own words (without use_universal_schema) for " + op.name,
		}
	}
	t, err := s.topic(ctx, r.Model, op.name)
	if err != nil {
		return Answer{}, err
	}
	scoped, err := t.forRequest(r)
	if err != nil {
		return Answer{}, err
	}
	t.System = scoped
	ctx, warnings := adapter.WithWarnings(ctx)
	a, err := run(t, ctx, op, r)
	a.Warnings = append(a.Warnings, warnings.List()...)
	return a, err
}

func (t *topic) operateSearchRead(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	reading, ours, err := readingOf(op, r)
	if err != nil {
		return Answer{}, err
	}
	return t.read(ctx, reading, ours, op.name)
}

// readingOf is the question of a search, within the operation's limit, and the
// limit of ours that holds, 0 for the caller's own.
func readingOf(op *operation, r *OperationRequest) (Reading, int, error) {
	orders, err := adapter.ParseOrder(r.Order)
	if err != nil {
		return Reading{}, 0, err
	}
	out := Reading{Query: adapter.Query{Model: r.Model, Fields: r.Fields, Order: orders, Offset: r.Offset, Cursor: r.Cursor}, Domain: r.Domain}
	if r.Limit != nil {
		out.Limit = *r.Limit
	}
	ours := 0
	if op.most > 0 && (out.Limit == 0 || out.Limit > op.most) {
		out.Limit, ours = op.most, op.most
	}
	if _, err := out.bound(); err != nil {
		return Reading{}, 0, err
	}
	return out, ours, nil
}

// requestIDs are the ids of a request, at most as many as the operation takes.
func requestIDs(op *operation, r *OperationRequest) (ids []adapter.ID, cut bool) {
	ids = r.IDs
	if !r.ID.IsZero() {
		ids = append(slices.Clone(ids), r.ID)
	}
	if op.most > 0 && len(ids) > op.most {
		return ids[:op.most], true
	}
	return ids, false
}

func idCondition(field string, ids []adapter.ID) adapter.Cond {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id.Value()
	}
	return adapter.Cond{Field: field, Op: adapter.In, Value: list}
}

// operateByID reads records in the order of their ids.
func (t *topic) operateByID(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	if r.Cursor != "" {
		return Answer{}, wrong("cursor", "read takes no cursor in the universal vocabulary; name at most %d ids at once", op.most)
	}
	ids, cut := requestIDs(op, r)
	if len(ids) == 0 {
		return Answer{Result: json.RawMessage("[]")}, nil
	}
	q := adapter.Query{Model: t.model, Fields: r.Fields, Filter: idCondition("id", ids), Limit: len(ids)}
	reading := Reading{Query: q, ETag: r.ETag}
	if r.ETag {
		reading.ID = ids[0]
	}
	a, err := t.archivedToo().read(ctx, reading, 0, op.name)
	if err != nil {
		return Answer{}, err
	}
	records, err := a.Records()
	if err != nil {
		return Answer{}, err
	}
	found := make(map[adapter.ID]adapter.Record, len(records))
	for _, r := range records {
		found[r.ID()] = r
	}
	sorted := make([]adapter.Record, 0, len(records))
	for _, id := range ids {
		if r, ok := found[id]; ok {
			sorted = append(sorted, r)
		}
	}
	order := []string(r.Fields)
	if order == nil {
		order = t.plan.Names()
	}
	if a.Result, err = encodeRecords(sorted, order); err != nil {
		return Answer{}, err
	}
	a.Truncated = cut
	if cut {
		a.Limit = op.most
	}
	return a, nil
}

func (t *topic) operateSearch(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	reading, ours, err := readingOf(op, r)
	if err != nil {
		return Answer{}, err
	}
	reading.Fields = []string{}
	a, err := t.read(ctx, reading, ours, op.name)
	if err != nil {
		return Answer{}, err
	}
	return a, idsOnly(&a)
}

// idsOnly turns records into their ids.
func idsOnly(a *Answer) error {
	records, err := a.Records()
	if err != nil {
		return err
	}
	ids := make([]adapter.ID, len(records))
	for i, r := range records {
		ids[i] = r.ID()
	}
	a.Result, err = encodeJSON(ids)
	return err
}

func (t *topic) operateExists(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	ids, _ := requestIDs(op, r)
	there, err := t.kindred(ctx, ids)
	if err != nil {
		return Answer{}, err
	}
	b, err := encodeJSON(orEmpty(there))
	return Answer{Result: b}, err
}

func (t *topic) operateCount(ctx context.Context, _ *operation, r *OperationRequest) (Answer, error) {
	var f adapter.Filter
	if !isNull(r.Domain) {
		var err error
		if f, err = adapter.ParseDomainJSON(r.Domain); err != nil {
			return Answer{}, err
		}
	}
	a, n, err := t.count(ctx, f)
	if err == nil && r.Limit != nil && *r.Limit > 0 && int64(*r.Limit) < n {
		a.Result = json.RawMessage(strconv.Itoa(*r.Limit))
	}
	return a, err
}

// nameField is the universal field that names are searched in.
const nameField = "name"

func (t *topic) operateNames(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	if !slices.Contains(t.plan.Names(), nameField) {
		return Answer{}, &adapter.Error{Code: adapter.Unsupported, Model: t.model, Message: t.model + " has no name to search by; use search_read"}
	}
	reading, ours, err := readingOf(op, r)
	if err != nil {
		return Answer{}, err
	}
	if reading.Filter, err = t.named(r); err != nil {
		return Answer{}, err
	}
	reading.Domain, reading.Fields = nil, []string{nameField}
	a, err := t.read(ctx, reading, ours, op.name)
	if err != nil {
		return Answer{}, err
	}
	records, err := a.Records()
	if err != nil {
		return Answer{}, err
	}
	refs := make([]adapter.Ref, len(records))
	for i, r := range records {
		refs[i] = adapter.Ref{ID: r.ID(), Name: r.String(nameField)}
	}
	a.Result, err = encodeJSON(pairs(refs))
	return a, err
}

// named is the condition of a search by name. The name is text to find, not a
// pattern.
func (t *topic) named(r *OperationRequest) (adapter.Filter, error) {
	var f adapter.Filter
	if !isNull(r.Domain) {
		var err error
		if f, err = adapter.ParseDomainJSON(r.Domain); err != nil {
			return nil, err
		}
	}
	if r.Name == nil || *r.Name == "" {
		return f, nil
	}
	op := adapter.Op(r.Operator)
	if op == "" {
		op = adapter.ILike
	}
	value := *r.Name
	if op == adapter.ILike || op == adapter.Like {
		value = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(value)
	}
	by := adapter.Cond{Field: nameField, Op: op, Value: value}
	if f == nil {
		return by, nil
	}
	return adapter.And{by, f}, nil
}

func (t *topic) operateFields(ctx context.Context, _ *operation, r *OperationRequest) (Answer, error) {
	described, err := t.described(ctx)
	if err != nil {
		return Answer{}, err
	}
	wanted := r.AllFields
	if wanted == nil {
		wanted = r.Fields
	}
	fields := fieldsOf(described, wanted)
	b, err := encodeJSON(fields)
	if err != nil || r.Attributes == nil {
		return Answer{Result: b}, err
	}
	var all map[string]map[string]any
	if err := adapter.DecodeJSON(b, &all); err != nil {
		return Answer{}, &adapter.Error{Code: adapter.Internal, Model: t.model, Message: "the description of fields can't be read", Err: err}
	}
	for _, f := range all {
		maps.DeleteFunc(f, func(name string, _ any) bool { return !slices.Contains(r.Attributes, name) })
	}
	b, err = encodeJSON(all)
	return Answer{Result: b}, err
}

func (t *topic) operateCreate(ctx context.Context, _ *operation, r *OperationRequest) (Answer, error) {
	raw := r.Values
	if isNull(raw) {
		raw = r.ValsList
	}
	var result any
	var many []adapter.Record
	if adapter.DecodeJSON(raw, &many) == nil {
		ids, err := t.createMany(ctx, many)
		if err != nil {
			return Answer{}, err
		}
		result = orEmpty(ids)
	} else {
		one, err := adapter.DecodeRecord(raw)
		if err != nil || one == nil {
			return Answer{}, wrong("values", "values must be an object such as {\"name\": \"Azure\"}")
		}
		made, err := t.createOne(ctx, one)
		if err != nil {
			return Answer{}, err
		}
		result = made.ID()
	}
	b, err := encodeJSON(result)
	return Answer{Result: b}, err
}

func (t *topic) operateWrite(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	values, err := adapter.DecodeRecord(r.Values)
	if err != nil || values == nil {
		return Answer{}, wrong("values", "values must be an object such as {\"name\": \"Azure\"}")
	}
	ids, _ := requestIDs(op, r)
	if err := t.update(ctx, ids, values); err != nil {
		return Answer{}, err
	}
	return Answer{Result: json.RawMessage("true")}, nil
}

func (t *topic) operateUnlink(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	ids, _ := requestIDs(op, r)
	if err := t.remove(ctx, ids); err != nil {
		return Answer{}, err
	}
	return Answer{Result: json.RawMessage("true")}, nil
}
