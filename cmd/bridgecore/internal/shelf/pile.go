package shelf

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Pile is where the pieces lie of which a file is made in the end. Each piece
// is whole or not there: one that was broken off has no name that anybody knows.
type Pile struct {
	shelf *Shelf
	owner string
	dir   string
}

// NewPile begins a pile, and returns the name under which it is found again. It
// is swept after life unless it was removed before.
func (s *Shelf) NewPile(owner string, life time.Duration) (name string, err error) {
	var id [idLen]byte
	if _, err := rand.Read(id[:randomLen]); err != nil {
		return "", err
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(s.now().Add(life).Unix())) //nolint:gosec // after 1970
	copy(id[randomLen:], b[2:])
	return hex.EncodeToString(id[:]), os.Mkdir(s.place(id[:], owner), 0o700)
}

// Pile returns the pile of a name. ErrMissing says that it is not in this
// directory: it was swept, or made by a process with another one.
func (s *Shelf) Pile(owner, name string) (*Pile, error) {
	id, err := hex.DecodeString(name)
	if err != nil || len(id) != idLen {
		return nil, ErrMissing
	}
	p := &Pile{s, owner, s.place(id, owner)}
	if _, err := os.Stat(p.dir); err != nil {
		return nil, ErrMissing
	}
	return p, nil
}

// Add adds a piece, which is durable when it returns, and tells its name. A
// shelf without room is a [*FullError].
func (p *Pile) Add(content []byte) (piece string, err error) {
	left, err := p.shelf.roomFor(p.owner)
	if err != nil {
		return "", err
	}
	switch n := int64(len(content)); {
	case n >= left.own:
		return "", &FullError{Most: p.shelf.most / share, Own: true}
	case n >= left.all:
		return "", &FullError{Most: p.shelf.most}
	}
	f, err := os.CreateTemp(p.dir, "piece-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return filepath.Base(f.Name()), nil
}

// Open opens a piece. One that is not there is ErrMissing.
func (p *Pile) Open(piece string) (io.ReadCloser, error) {
	if filepath.Base(piece) != piece {
		return nil, ErrMissing
	}
	f, err := os.Open(filepath.Join(p.dir, piece))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, piece)
	}
	return f, err
}

// Remove takes the pile away.
func (p *Pile) Remove() error { return os.RemoveAll(p.dir) }
