package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// flaky keeps files, at the second try.
type flaky struct {
	*memory.Adapter
	attaches, opens int
}

func (f *flaky) Attach(ctx context.Context, file adapter.Attachment, content io.Reader) (adapter.Attachment, error) {
	if f.attaches++; f.attaches == 1 {
		_, _ = io.CopyN(io.Discard, content, 2)
		return adapter.Attachment{}, &adapter.Error{Code: adapter.Unavailable, NothingSent: true, Temporary: true, Message: "not now"}
	}
	return f.Adapter.Attach(ctx, file, content)
}

func (f *flaky) OpenAttachment(ctx context.Context, id adapter.ID) (adapter.Attachment, io.ReadCloser, error) {
	file, content, err := f.Adapter.OpenAttachment(ctx, id)
	if f.opens++; err == nil && f.opens == 1 {
		content = io.NopCloser(io.MultiReader(io.LimitReader(content, 3), brokenReader{}))
	}
	return file, content, err
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

func TestAttachments(t *testing.T) {
	m := &flaky{Adapter: memory.New(shop()...)}
	log := &notes{}
	r := build(t, func(c *Config) { c.Observer = log }, on(m))
	sys := r.sys(t)
	made, err := sys.Create(t.Context(), "res.partner", adapter.Record{"name": "Ada"})
	require.NoError(t, err)
	id := made.ID()
	list, err := sys.Attachments(t.Context(), "res.partner", id)
	require.NoError(t, err)
	assert.Empty(t, list)

	file, err := sys.Attach(t.Context(), adapter.Attachment{Name: "a.txt", MIMEType: "text/plain", Model: "res.partner", RecordID: id}, strings.NewReader("content"))
	require.NoError(t, err)
	assert.Equal(t, adapter.Attachment{ID: file.ID, Name: "a.txt", MIMEType: "text/plain", Size: 7, Model: "res.partner", RecordID: id}, file)
	assert.Equal(t, 2, m.attaches, "repeated, from the beginning of the content")
	list, err = sys.Attachments(t.Context(), "res.partner", id)
	require.NoError(t, err)
	assert.Equal(t, []adapter.Attachment{file}, list)

	opened, err := sys.OpenAttachment(t.Context(), file.ID)
	require.NoError(t, err)
	assert.Equal(t, 2, m.opens, "one that broke off is fetched again")
	assert.Equal(t, file, opened.Attachment)
	assert.Equal(t, sha256.Sum256([]byte("content")), opened.Digest)
	for range 2 {
		_, err = opened.Seek(3, io.SeekStart)
		require.NoError(t, err)
		b, err := io.ReadAll(opened)
		require.NoError(t, err)
		assert.Equal(t, "tent", string(b))
	}
	require.NoError(t, opened.Close())

	require.NoError(t, sys.DeleteAttachment(t.Context(), file.ID))
	require.ErrorIs(t, sys.DeleteAttachment(t.Context(), file.ID), adapter.ErrNotFound)
	_, err = sys.OpenAttachment(t.Context(), file.ID)
	require.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = sys.Attach(t.Context(), adapter.Attachment{Name: "a.txt", Model: "res.partner", RecordID: adapter.IntID(99)}, strings.NewReader(""))
	require.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = sys.Attach(t.Context(), adapter.Attachment{Name: "a.txt", Model: "no model!", RecordID: id}, strings.NewReader(""))
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.Equal(t, []string{"create res.partner", "create attachment", "unlink attachment"}, log.changes)
}

// notes remembers what changed.
type notes struct{ changes []string }

func (n *notes) Upstream(context.Context, UpstreamEvent) {}
func (n *notes) Lookup(context.Context, LookupEvent)     {}
func (n *notes) Breaker(BreakerEvent)                    {}
func (n *notes) Changed(_ context.Context, e ChangeEvent) {
	n.changes = append(n.changes, e.Operation+" "+e.Model)
}

// Who may not read a record may not read its files, whatever their ids are.
func TestAccessToAttachments(t *testing.T) {
	m := memory.New(shop()...)
	r := build(t, func(c *Config) {
		c.Access = Access{"sales": {{Models: []string{"res.partner"}, Methods: []string{"read", "write", "create"}}}}
	}, on(m))
	hidden, err := m.Create(t.Context(), "sale.order", adapter.Record{"name": "S1"})
	require.NoError(t, err)
	partner, err := m.Create(t.Context(), "res.partner", adapter.Record{"name": "Ada"})
	require.NoError(t, err)
	secret, err := m.Attach(t.Context(), adapter.Attachment{Name: "s", Model: "sale.order", RecordID: hidden}, strings.NewReader("secret"))
	require.NoError(t, err)
	sys, err := r.System(t.Context(), Caller{Tenant: "acme", User: "x", Roles: []string{"sales"}}, "main")
	require.NoError(t, err)

	_, err = sys.OpenAttachment(t.Context(), secret.ID)
	require.ErrorIs(t, err, adapter.ErrPermissionDenied)
	_, err = sys.Attachments(t.Context(), "sale.order", hidden)
	require.ErrorIs(t, err, adapter.ErrPermissionDenied)
	_, err = sys.Attach(t.Context(), adapter.Attachment{Name: "a", Model: "sale.order", RecordID: hidden}, strings.NewReader("x"))
	require.ErrorIs(t, err, adapter.ErrPermissionDenied)
	file, err := sys.Attach(t.Context(), adapter.Attachment{Name: "a", Model: "res.partner", RecordID: partner}, strings.NewReader("x"))
	require.NoError(t, err)
	opened, err := sys.OpenAttachment(t.Context(), file.ID)
	require.NoError(t, err)
	require.NoError(t, opened.Close())
}

// bare keeps no files.
type bareSystem struct{ adapter.Adapter }

func TestSystemsWithoutFiles(t *testing.T) {
	r := build(t, nil, on(bareSystem{memory.New(shop()...)}))
	sys, id := r.sys(t), adapter.IntID(1)
	_, err := sys.Attach(t.Context(), adapter.Attachment{Name: "a", Model: "res.partner", RecordID: id}, strings.NewReader("x"))
	require.ErrorIs(t, err, adapter.ErrUnsupported)
	_, err = sys.Attachments(t.Context(), "res.partner", id)
	require.ErrorIs(t, err, adapter.ErrUnsupported)
	_, err = sys.OpenAttachment(t.Context(), id)
	require.ErrorIs(t, err, adapter.ErrUnsupported)
	require.ErrorIs(t, sys.DeleteAttachment(t.Context(), id), adapter.ErrUnsupported)
}

func TestIDsInTexts(t *testing.T) {
	for kind, want := range map[string]adapter.ID{"fake": adapter.IntID(42), "odoo": adapter.IntID(42), "salesforce": adapter.StringID("42"), "sap": adapter.StringID("42")} {
		s := &System{link: &link{config: SystemConfig{Kind: kind}}}
		assert.Equal(t, want, s.ParseID("42"), kind)
		for _, text := range []string{"042", "4.2", "x", "", "99999999999999999999"} {
			assert.Equal(t, adapter.StringID(text), s.ParseID(text))
		}
	}
}
