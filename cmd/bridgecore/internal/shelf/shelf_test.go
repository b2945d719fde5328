package shelf_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newShelf(t *testing.T) (*shelf.Shelf, *clock, string) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 15, 12, 0, 0, 500, time.UTC)}
	dir := filepath.Join(t.TempDir(), "reports")
	s, err := shelf.New(shelf.Config{Dir: dir, Key: []byte("0123456789abcdef"), Life: time.Hour, Now: c.now})
	require.NoError(t, err)
	return s, c, dir
}

func kept(t *testing.T, s *shelf.Shelf, owner, title string) shelf.Ticket {
	t.Helper()
	d, err := s.Create(owner)
	require.NoError(t, err)
	_, err = io.WriteString(d, "content")
	require.NoError(t, err)
	ticket, err := d.Keep(title, "csv")
	require.NoError(t, err)
	require.NoError(t, d.Close())
	return ticket
}

func TestAFileIsItsOwnersAlone(t *testing.T) {
	s, _, _ := newShelf(t)
	ticket := kept(t, s, "user 1", "../Sales: \"May\"\r\nX")
	assert.EqualValues(t, 7, ticket.Size)
	assert.Regexp(t, `^report-[\w-]{46}\.csv$`, ticket.Name)
	f, err := s.Open("user 1", ticket.Name)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, "content", string(text))
	assert.Equal(t, "Sales May X.csv", f.Title)
	assert.Equal(t, ticket.ExpiresAt, f.ExpiresAt)

	_, err = s.Open("user 2", ticket.Name)
	require.ErrorIs(t, err, shelf.ErrMissing)
	for i := range ticket.Name {
		b := []byte(ticket.Name)
		if b[i]++; b[i] == '{' {
			b[i] = 'a'
		}
		_, err := s.Open("user 1", string(b))
		require.ErrorIs(t, err, shelf.ErrMissing, string(b))
	}
	for _, name := range []string{"", "report-", "report-.csv", "../report-x.csv", strings.TrimSuffix(ticket.Name, ".csv") + ".pdf", ticket.Name + ".csv", ticket.Name[:len(ticket.Name)-4]} {
		_, err := s.Open("user 1", name)
		require.ErrorIs(t, err, shelf.ErrMissing, name)
	}
	other, err := shelf.New(shelf.Config{Dir: t.TempDir(), Key: []byte("0123456789abcdef"), Life: time.Hour})
	require.NoError(t, err)
	_, err = other.Open("user 1", ticket.Name)
	assert.Error(t, err)
}

func TestFilesExpireAndAreSwept(t *testing.T) {
	s, c, dir := newShelf(t)
	old := kept(t, s, "u", "old")
	c.at = c.at.Add(30 * time.Minute)
	young := kept(t, s, "u", "")
	_, err := s.Create("u") // a crash
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "foreign"), nil, 0o600))

	n, err := s.Sweep()
	require.NoError(t, err)
	assert.Zero(t, n)
	c.at = c.at.Add(30 * time.Minute)
	_, err = s.Open("u", old.Name)
	require.ErrorIs(t, err, shelf.ErrExpired)
	_, err = s.Open("somebody", old.Name)
	require.ErrorIs(t, err, shelf.ErrMissing)
	n, err = s.Sweep()
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	f, err := s.Open("u", young.Name)
	require.NoError(t, err)
	assert.Equal(t, "report.csv", f.Title)
	require.NoError(t, f.Close())
	c.at = c.at.Add(30 * time.Minute)
	n, err = s.Sweep()
	require.NoError(t, err)
	assert.Equal(t, 2, n, "what was never finished goes too")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "what is not ours stays")
}

func TestADraftThatIsNotKeptIsGone(t *testing.T) {
	s, _, dir := newShelf(t)
	d, err := s.Create("u")
	require.NoError(t, err)
	require.NoError(t, d.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
	_, err = shelf.New(shelf.Config{Dir: dir, Key: []byte("short"), Life: time.Hour})
	assert.Error(t, err)
}

func TestAShelfHasRoom(t *testing.T) {
	c := &clock{time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
	s, err := shelf.New(shelf.Config{Dir: t.TempDir(), Key: []byte("0123456789abcdef"), Life: time.Hour, Most: 100, Now: c.now})
	require.NoError(t, err)
	var full *shelf.FullError
	for range 3 { // 21 of 25 bytes
		kept(t, s, "greedy", "x")
	}
	d, err := s.Create("greedy")
	require.NoError(t, err)
	_, err = io.WriteString(d, "content")
	require.ErrorAs(t, err, &full)
	assert.True(t, full.Own)
	assert.EqualValues(t, 25, full.Most)
	require.NoError(t, d.Close())
	for owner := range 11 {
		kept(t, s, string(rune('a'+owner)), "x")
	}
	d, err = s.Create("z") // 98 of 100
	require.NoError(t, err)
	_, err = io.WriteString(d, "content")
	require.ErrorAs(t, err, &full)
	assert.False(t, full.Own)
	require.NoError(t, d.Close())
	c.at = c.at.Add(time.Hour)
	_, err = s.Sweep()
	require.NoError(t, err)
	kept(t, s, "greedy", "x")
}
