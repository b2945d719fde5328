// Package adaptertest is the conformance suite of adapters: what every
// connected system must do, whatever it is. An adapter's own tests call [Run]
// with a [Harness] that says which model and fields to use.
package adaptertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// Harness is one connected system and what of it the suite may use. Fields
// left empty are what the system has not; the tests that need them are skipped
// and say so.
type Harness struct {
	// Adapter is new and connected. The suite closes it.
	Adapter adapter.Adapter
	// Model is one whose records the user may create, change and delete.
	Model string
	// Values returns what a new record needs besides Text. May be nil.
	Values func() adapter.Record
	// IDField is "id" if empty.
	IDField string

	// Text is a required field of short texts that need not be unique, such as
	// a name. It holds at least 60 characters.
	Text string
	// The names of further fields of the model by type, none of them required.
	OptionalText, Integer, Float, Boolean, Date, DateTime string
	// Reference is a many-to-one, and Targets two records (with different
	// names) that it may lead to.
	Reference string
	Targets   []adapter.Ref
	// TargetField is a text of the referred records that conditions may use
	// through Reference ("partner_id.ref"), by default their "name".
	TargetField string
	// BareReferences says that a reference reads as an id alone, without the
	// name of the record that it leads to.
	BareReferences bool
	// Lines is a one-to-many, LineModel its model and LineInverse the field
	// there that leads back. LineValues returns what a new line needs besides.
	Lines, LineModel, LineInverse string
	LineValues                    func() adapter.Record
	// Readonly is a field that the system refuses to write.
	Readonly string

	// Integers and Decimals are literals that the fields must keep exactly;
	// the suite has its own for systems that name none.
	Integers, Decimals []string
	// MissingID is the id of no record, 999999999 if zero.
	MissingID adapter.ID
	// Operators are those that filters may use, nil for all. With any other
	// the adapter must refuse a filter rather than answer wrongly.
	Operators []adapter.Op
	// DeletesMissing says that deleting a missing id can't be told from
	// deleting one that is there.
	DeletesMissing bool
	// ConditionRaces says that the system can't check and change a record in
	// one step, so that UpdateIf may overwrite what came in between.
	ConditionRaces bool
	// Upsert names what an adapter.Upserter may write a record by: the key and a
	// value for a record called so, which the values need not hold. May be nil.
	Upsert func(name string) (key, value string)
	// BetweenChanges lets the system's clock go on, for one that tells changes
	// apart by time alone. It must not sleep. May be nil.
	BetweenChanges func(t *testing.T)
	// Now is the system's clock, of which adapters that are Clocked must tell.
	// May be nil.
	Now func() time.Time
	// Nest says how records nest. May be nil.
	Nest *Nesting
	// Call is a harmless call to try on an adapter.Caller. May be nil.
	Call *adapter.Call
}

// Run runs the suite. Each test gets a harness of its own; it may use a system
// that others use at the same time, and removes the records that it made.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, *suite)
	}{
		{"Info", testInfo},
		{"Schema", testSchema},
		{"Lifecycle", testLifecycle},
		{"EmptyValues", testEmptyValues},
		{"Texts", testTexts},
		{"Numbers", testNumbers},
		{"Times", testTimes},
		{"Plain", testPlain},
		{"References", testReferences},
		{"Lines", testLines},
		{"MissingIDs", testMissingIDs},
		{"CallersMaps", testCallersMaps},
		{"Filters", testFilters},
		{"Order", testOrder},
		{"Pages", testPages},
		{"PagesWhileDeleting", testPagesWhileDeleting},
		{"All", testAll},
		{"Count", testCount},
		{"SearchIDs", testSearchIDs},
		{"Read", testRead},
		{"NameSearch", testNameSearch},
		{"CreateMany", testCreateMany},
		{"CreateEach", testCreateEach},
		{"Conditional", testConditional},
		{"ConditionalRace", testConditionalRace},
		{"Upsert", testUpsert},
		{"UpsertRace", testUpsertRace},
		{"Nested", testNested},
		{"Stream", testStream},
		{"Attachments", testAttachments},
		{"Call", testCall},
		{"Ping", testPing},
		{"Clock", testClock},
		{"UnknownModel", testUnknownModel},
		{"UnknownFields", testUnknownFields},
		{"BadArguments", testBadArguments},
		{"Context", testContext},
		{"Concurrency", testConcurrency},
		{"Close", testClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHarness(t)
			require.NotNil(t, h.Adapter, "the harness has no Adapter")
			require.NotEmpty(t, h.Model, "the harness has no Model")
			require.NotEmpty(t, h.Text, "the harness has no Text")
			if h.IDField == "" {
				h.IDField = "id"
			}
			if h.MissingID.IsZero() {
				h.MissingID = adapter.IntID(999999999)
			}
			s := &suite{Harness: h, mark: fmt.Sprintf("conformance %08x", rand.Uint32())}
			t.Cleanup(func() { s.cleanUp(t) })
			test.test(t, s)
		})
	}
}

// suite is a harness in use.
type suite struct {
	Harness

	mark    string // in the text of every record made
	made    []adapter.ID
	inverse []adapter.ID // lines made
	closed  bool
}

func (s *suite) cleanUp(t *testing.T) {
	t.Helper()
	if s.closed {
		return
	}
	// The test's own context may be over.
	ctx := context.WithoutCancel(t.Context())
	for _, id := range s.inverse {
		_ = s.Adapter.Delete(ctx, s.LineModel, []adapter.ID{id})
	}
	if s.Adapter.Delete(ctx, s.Model, s.made) != nil {
		for _, id := range s.made {
			_ = s.Adapter.Delete(ctx, s.Model, []adapter.ID{id})
		}
	}
	assert.NoError(t, s.Adapter.Close())
}

// values returns those of a new record whose text is the mark and name.
func (s *suite) values(name string, more ...adapter.Record) adapter.Record {
	values := adapter.Record{}
	if s.Values != nil {
		values = s.Values()
	}
	values[s.Text] = s.name(name)
	for _, r := range more {
		for k, v := range r {
			if k != "" {
				values[k] = v
			}
		}
	}
	return values
}

// name is the text of the record called so.
func (s *suite) name(name string) string { return strings.TrimSpace(s.mark + " " + name) }

func (s *suite) create(t *testing.T, name string, more ...adapter.Record) adapter.ID {
	t.Helper()
	id, err := s.Adapter.Create(t.Context(), s.Model, s.values(name, more...))
	require.NoError(t, err, "Create")
	require.False(t, id.IsZero(), "Create returned no id")
	s.made = append(s.made, id)
	return id
}

// createNamed makes a record for each name and returns their ids.
func (s *suite) createNamed(t *testing.T, names ...string) []adapter.ID {
	t.Helper()
	ids := make([]adapter.ID, len(names))
	for i, name := range names {
		ids[i] = s.create(t, name)
	}
	return ids
}

// only returns a condition that limits a query to the records of ids.
func (s *suite) only(ids ...adapter.ID) adapter.Cond {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id.Value()
	}
	return adapter.Cond{Field: s.IDField, Op: adapter.In, Value: list}
}

// get reads one record, which must exist.
func (s *suite) get(t *testing.T, id adapter.ID, fields ...string) adapter.Record {
	t.Helper()
	records := s.query(t, adapter.Query{Model: s.Model, Filter: s.only(id), Fields: append([]string{s.Text}, fields...)})
	require.Len(t, records, 1, "the record %s", id)
	return records[0]
}

func (s *suite) query(t *testing.T, q adapter.Query) []adapter.Record {
	t.Helper()
	page, err := s.Adapter.Query(t.Context(), q)
	require.NoError(t, err, "Query")
	return page.Records
}

// names returns the texts of records without the mark.
func (s *suite) names(records []adapter.Record) []string {
	names := make([]string, len(records))
	for i, r := range records {
		names[i] = strings.TrimSpace(strings.TrimPrefix(r.String(s.Text), s.mark))
	}
	return names
}

func (s *suite) supports(ops ...adapter.Op) bool {
	return s.Operators == nil || !slices.ContainsFunc(ops, func(op adapter.Op) bool { return !slices.Contains(s.Operators, op) })
}

// need skips the test unless the harness has the fields, given as pairs of a
// harness field's name and its value.
func need(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			t.Skipf("the harness names no %s", pairs[i])
		}
	}
}

// requireCode asserts that err is, or wraps, an *adapter.Error of the code with
// a message for people.
func requireCode(t *testing.T, want adapter.Code, err error, doing string) {
	t.Helper()
	_ = errorOf(t, want, err, doing)
}

func errorOf(t *testing.T, want adapter.Code, err error, doing string) *adapter.Error {
	t.Helper()
	require.Error(t, err, doing)
	var e *adapter.Error
	require.ErrorAs(t, err, &e, "%s: a %T is no *adapter.Error: %v", doing, err, err)
	require.Equal(t, want, e.Code, "%s: %v", doing, err)
	assert.NotEmpty(t, e.Message, doing)
	assert.NotContains(t, e.Message, "Traceback", doing)
	assert.NotContains(t, e.Message, "://", "%s: the message shows an address", doing)
	return e
}

// requireNames asserts the code and that the error names the field.
func requireNames(t *testing.T, field string, err error, doing string) {
	t.Helper()
	e := errorOf(t, adapter.InvalidArgument, err, doing)
	assert.Contains(t, e.Field+" "+e.Message, field, "%s: the error must name the field", doing)
}
