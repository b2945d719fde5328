package adaptertest

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func testCount(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "a", "b", "c")
	for _, test := range []struct {
		filter adapter.Filter
		want   int64
	}{
		{s.only(ids...), 3},
		{s.only(s.MissingID), 0},
		{adapter.And{s.only(ids...), adapter.Cond{Field: s.Text, Op: adapter.NotEqual, Value: s.name("a")}}, 2},
	} {
		n, err := adapter.Count(t.Context(), s.Adapter, s.Model, test.filter)
		require.NoError(t, err)
		assert.Equal(t, test.want, n)
	}
	n, err := adapter.Count(t.Context(), s.Adapter, s.Model, nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, n, int64(3), "nil matches everything")
}

func testSearchIDs(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "b", "a", "c")
	q := adapter.Query{Model: s.Model, Filter: s.only(ids...), Order: []adapter.Order{{Field: s.Text}}}
	search := func(want ...adapter.ID) {
		t.Helper()
		got, err := adapter.SearchIDs(t.Context(), s.Adapter, q)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	search(ids[1], ids[0], ids[2])
	q.Limit = 2
	search(ids[1], ids[0])
	q.Offset = 2
	search(ids[2])
	q.Limit, q.Offset, q.Filter = 0, 0, s.only(s.MissingID)
	got, err := adapter.SearchIDs(t.Context(), s.Adapter, q)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func testRead(t *testing.T, s *suite) {
	t.Helper()
	ids := s.createNamed(t, "a", "b", "c")
	records, err := adapter.Read(t.Context(), s.Adapter, s.Model, []adapter.ID{ids[2], s.MissingID, ids[0], ids[1]}, []string{s.Text})
	require.NoError(t, err)
	assert.Equal(t, []string{"c", "a", "b"}, s.names(records), "the order of the ids; a missing one is left out")
	for i, want := range []adapter.ID{ids[2], ids[0], ids[1]} {
		assert.Equal(t, want, records[i].ID())
	}
	records, err = adapter.Read(t.Context(), s.Adapter, s.Model, []adapter.ID{s.MissingID}, []string{s.IDField})
	require.NoError(t, err)
	assert.Empty(t, records, "reading nothing but the id makes no record of a missing one")
	records, err = adapter.Read(t.Context(), s.Adapter, s.Model, nil, []string{s.Text})
	require.NoError(t, err)
	assert.Empty(t, records)
	_, err = adapter.Read(t.Context(), s.Adapter, s.Model, ids[:1], []string{"no_such_field"})
	requireNames(t, "no_such_field", err, "Read of an unknown field")
}

func testNameSearch(t *testing.T, s *suite) {
	t.Helper()
	if _, ok := s.Adapter.(adapter.NameSearcher); !ok {
		_, err := adapter.NameSearch(t.Context(), s.Adapter, s.Model, "x", nil, 1)
		requireCode(t, adapter.Unsupported, err, "NameSearch")
		t.Skip("the adapter is no NameSearcher")
	}
	ids := s.createNamed(t, "needle one", "needle two", "hay")
	refs, err := adapter.NameSearch(t.Context(), s.Adapter, s.Model, s.mark+" NEEDLE", nil, 0)
	require.NoError(t, err)
	var found []adapter.ID
	for _, ref := range refs {
		found = append(found, ref.ID)
		assert.Contains(t, ref.Name, "needle")
	}
	assert.ElementsMatch(t, ids[:2], found)

	refs, err = adapter.NameSearch(t.Context(), s.Adapter, s.Model, s.mark, nil, 2)
	require.NoError(t, err)
	assert.Len(t, refs, 2, "the limit")

	refs, err = adapter.NameSearch(t.Context(), s.Adapter, s.Model, s.mark, s.only(ids[2]), 10)
	require.NoError(t, err)
	if assert.Len(t, refs, 1, "the filter") {
		assert.Equal(t, ids[2], refs[0].ID)
	}
	refs, err = adapter.NameSearch(t.Context(), s.Adapter, s.Model, s.mark+" nobody", nil, 10)
	require.NoError(t, err)
	assert.Empty(t, refs)
}

func testCreateMany(t *testing.T, s *suite) {
	t.Helper()
	ids, err := adapter.CreateMany(t.Context(), s.Adapter, s.Model, []adapter.Record{s.values("a"), s.values("b"), s.values("c")})
	require.NoError(t, err)
	s.made = append(s.made, ids...)
	require.Len(t, ids, 3)
	records, err := adapter.Read(t.Context(), s.Adapter, s.Model, ids, []string{s.Text})
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, s.names(records), "ids in the order of the values")

	none, err := adapter.CreateMany(t.Context(), s.Adapter, s.Model, nil)
	require.NoError(t, err)
	assert.Empty(t, none)

	_, err = adapter.CreateMany(t.Context(), s.Adapter, s.Model, []adapter.Record{s.values("bad"), s.values("bad", adapter.Record{"no_such_field": 1})})
	require.Error(t, err)
	bad, countErr := adapter.SearchIDs(t.Context(), s.Adapter, adapter.Query{Model: s.Model, Filter: adapter.Cond{Field: s.Text, Op: adapter.Equal, Value: s.name("bad")}})
	require.NoError(t, countErr)
	s.made = append(s.made, bad...)
	if _, ok := s.Adapter.(adapter.BatchCreator); ok {
		requireNames(t, "no_such_field", err, "CreateMany with an unknown field")
		assert.Empty(t, bad, "all or none")
		return
	}
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial, "one by one, a failure is partial")
	assert.Len(t, bad, 1)
	assert.Len(t, partial.Failed, 1)
}

func testAttachments(t *testing.T, s *suite) {
	t.Helper()
	files, ok := s.Adapter.(adapter.Attacher)
	if !ok {
		_, err := adapter.Attach(t.Context(), s.Adapter, adapter.Attachment{Name: "a.txt"}, strings.NewReader("x"))
		requireCode(t, adapter.Unsupported, err, "Attach")
		t.Skip("the adapter is no Attacher")
	}
	id := s.create(t, "with files")
	list, err := files.Attachments(t.Context(), s.Model, id)
	require.NoError(t, err)
	assert.Empty(t, list)

	contents := map[string]string{
		"note.txt":       "plain text",
		"naïve “file” 文": strings.Repeat("\x00\xff\r\n\xfe", 1000),
		"empty.bin":      "",
	}
	made := map[string]adapter.Attachment{}
	for name, content := range contents {
		file, err := files.Attach(t.Context(), adapter.Attachment{Name: name, MIMEType: "application/octet-stream", Model: s.Model, RecordID: id}, strings.NewReader(content))
		require.NoError(t, err, name)
		assert.False(t, file.ID.IsZero())
		assert.Equal(t, int64(len(content)), file.Size)
		made[name] = file
	}
	list, err = files.Attachments(t.Context(), s.Model, id)
	require.NoError(t, err)
	assert.Len(t, list, len(contents))
	for _, file := range list {
		assert.Equal(t, made[file.Name].ID, file.ID)
	}
	for name, content := range contents {
		info, r, err := files.OpenAttachment(t.Context(), made[name].ID)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.Equal(t, content, string(got), name)
		assert.Equal(t, name, info.Name)
		assert.Equal(t, int64(len(content)), info.Size)
	}
	_, _, err = files.OpenAttachment(t.Context(), s.MissingID)
	requireCode(t, adapter.NotFound, err, "OpenAttachment of a missing id")
	testAttachmentDeleter(t, s, files, id, made)
}

func testAttachmentDeleter(t *testing.T, s *suite, files adapter.Attacher, record adapter.ID, made map[string]adapter.Attachment) {
	t.Helper()
	gone := made["note.txt"].ID
	if _, ok := s.Adapter.(adapter.AttachmentDeleter); !ok {
		requireCode(t, adapter.Unsupported, adapter.DeleteAttachment(t.Context(), s.Adapter, gone), "DeleteAttachment")
		return
	}
	require.NoError(t, adapter.DeleteAttachment(t.Context(), s.Adapter, gone))
	_, _, err := files.OpenAttachment(t.Context(), gone)
	requireCode(t, adapter.NotFound, err, "OpenAttachment of a deleted file")
	requireCode(t, adapter.NotFound, adapter.DeleteAttachment(t.Context(), s.Adapter, gone), "DeleteAttachment twice")
	requireCode(t, adapter.NotFound, adapter.DeleteAttachment(t.Context(), s.Adapter, s.MissingID), "DeleteAttachment of a missing id")
	list, err := files.Attachments(t.Context(), s.Model, record)
	require.NoError(t, err)
	assert.Len(t, list, len(made)-1)
}

func testCall(t *testing.T, s *suite) {
	t.Helper()
	if _, ok := s.Adapter.(adapter.Caller); !ok {
		_, err := adapter.Invoke(t.Context(), s.Adapter, adapter.Call{Model: s.Model, Method: "x"})
		requireCode(t, adapter.Unsupported, err, "Invoke")
		t.Skip("the adapter is no Caller")
	}
	_, err := adapter.Invoke(t.Context(), s.Adapter, adapter.Call{Model: s.Model, Method: "no_such_method_here"})
	require.Error(t, err)
	if s.Call == nil {
		t.Skip("the harness names no Call")
	}
	answer, err := adapter.Invoke(t.Context(), s.Adapter, *s.Call)
	require.NoError(t, err)
	assert.True(t, json.Valid(answer), "%s", answer)
}

func testPing(t *testing.T, s *suite) {
	t.Helper()
	assert.NoError(t, adapter.Ping(t.Context(), s.Adapter))
}

// testClock holds what an adapter says of the system's clock against the clock.
// It is never later, and earlier by no more than its seconds leave out: how long
// anything takes does not matter.
func testClock(t *testing.T, s *suite) {
	t.Helper()
	if _, able := s.Adapter.(adapter.Clocked); !able {
		require.Nil(t, s.Now, "the harness has a clock that the adapter does not tell")
		t.Skip("the adapter is not Clocked")
	}
	if s.Now == nil {
		t.Skip("the harness names no Now")
	}
	for range 3 {
		s.settle(t)
		before := s.Now()
		require.NoError(t, adapter.Ping(t.Context(), s.Adapter))
		now, known := adapter.Clock(s.Adapter)
		after := s.Now()
		require.True(t, known, "a system that has answered has told its time")
		assert.False(t, now.Before(before.Add(-time.Second)), "%s of a clock that was past %s", now, before)
		assert.False(t, now.After(after), "%s of a clock that has not reached it: %s", now, after)
	}
}
