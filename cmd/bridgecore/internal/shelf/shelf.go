// Package shelf keeps files on disk for a while, each for one user who may
// fetch it. A file's name is its own proof: it says until when it is kept and
// carries a signature over that and its owner, so nothing else is remembered,
// and servers that share the directory and the key serve each other's files.
package shelf

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrMissing says that there is no such file for whoever asks: it never was,
// it is somebody else's, its name was changed.
var ErrMissing = errors.New("there is no such file")

// ErrExpired says that the file was the caller's, and is kept no longer.
var ErrExpired = errors.New("the file has expired")

// FullError says that no more is kept until something expires.
type FullError struct {
	Most int64 // bytes
	Own  bool  // it is the owner's part that is full
}

func (e *FullError) Error() string {
	whose := "all files together"
	if e.Own {
		whose = "your files together"
	}
	return fmt.Sprintf("%s may have %d bytes, and would have more; try again when some have expired", whose, e.Most)
}

// share is the part of a shelf that one owner may fill.
const share = 4

// Config makes a Shelf.
type Config struct {
	Dir  string // made where it is missing
	Key  []byte // signs names; at least 16 bytes
	Life time.Duration
	// Most bounds what is kept in all, in bytes, and a quarter of it what one
	// owner's files have; 0 is no bound.
	Most int64
	Now  func() time.Time // nil is time.Now
}

// Shelf is a directory of files. It is safe for concurrent use, by several
// processes too.
type Shelf struct {
	dir  string
	key  []byte
	life time.Duration
	most int64
	now  func() time.Time
}

// New returns a shelf. It makes the directory.
func New(c Config) (*Shelf, error) {
	if len(c.Key) < 16 || c.Life <= 0 {
		return nil, errors.New("a shelf needs a key of at least 16 bytes, and a time that files are kept")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of reports: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Shelf{dir: c.Dir, key: c.Key, life: c.Life, most: c.Most, now: c.Now}, nil
}

// The name of a file is report-TOKEN.EXT; the token has a random part, the
// second in which the file expires, and the signature.
const (
	prefix    = "report-"
	randomLen = 12
	stampLen  = 6
	idLen     = randomLen + stampLen
	macLen    = 16
	// draft is the name of what is not whole yet.
	draft = "draft"
)

// Draft is a file that is being written.
type Draft struct {
	shelf *Shelf
	file  *os.File
	owner string
	room  room
	size  int64
	id    [idLen]byte
	dir   string
	done  bool
}

// room is how much more may be kept.
type room struct{ all, own int64 }

// Create begins a file of an owner, any text that tells people apart. Close it
// in any case; what was not kept is gone then. A shelf without room is a
// [*FullError], here and while it is written.
func (s *Shelf) Create(owner string) (*Draft, error) {
	d := &Draft{shelf: s, owner: owner}
	var err error
	if d.room, err = s.roomFor(owner); err != nil {
		return nil, err
	}
	if err := d.check(0); err != nil {
		return nil, err
	}
	if _, err := rand.Read(d.id[:randomLen]); err != nil {
		return nil, err
	}
	d.stamp(s.now())
	// The place has the time of the beginning in its name until it is kept, so
	// that what a crash left behind is swept too.
	d.dir = s.place(d.id[:], owner)
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, draft), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Join(err, os.Remove(d.dir))
	}
	d.file = f
	return d, nil
}

// place is the directory of a file. It says whose it is, as far as that is
// needed to count.
func (s *Shelf) place(id []byte, owner string) string {
	return filepath.Join(s.dir, hex.EncodeToString(id)+"-"+s.mark(owner))
}

// mark tells owners apart, without saying who they are.
func (s *Shelf) mark(owner string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("owner " + owner))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// roomFor adds up what is kept.
func (s *Shelf) roomFor(owner string) (room, error) {
	if s.most <= 0 {
		return room{math.MaxInt64, math.MaxInt64}, nil
	}
	left := room{s.most, s.most / share}
	places, err := os.ReadDir(s.dir)
	if err != nil {
		return room{}, err
	}
	own := "-" + s.mark(owner)
	for _, place := range places {
		files, _ := os.ReadDir(filepath.Join(s.dir, place.Name())) // one that was swept meanwhile has none
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				continue
			}
			left.all -= info.Size()
			if strings.HasSuffix(place.Name(), own) {
				left.own -= info.Size()
			}
		}
	}
	return left, nil
}

// check refuses more bytes than there is room for.
func (d *Draft) check(n int64) error {
	switch d.size += n; {
	case d.size >= d.room.own:
		return &FullError{Most: d.shelf.most / share, Own: true}
	case d.size >= d.room.all:
		return &FullError{Most: d.shelf.most}
	}
	return nil
}

// Write adds to the file.
func (d *Draft) Write(p []byte) (int, error) {
	if err := d.check(int64(len(p))); err != nil {
		return 0, err
	}
	return d.file.Write(p)
}

// stamp says when the file expires that was begun or kept at a time.
func (d *Draft) stamp(at time.Time) time.Time {
	expires := at.Add(d.shelf.life).Truncate(time.Second)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(expires.Unix())) //nolint:gosec // after 1970
	copy(d.id[randomLen:], b[2:])
	return expires
}

// Ticket is what a file is fetched by.
type Ticket struct {
	Name      string // report-....pdf
	Title     string // with its extension
	Size      int64
	ExpiresAt time.Time
}

// Keep ends the file. title is what it is called when it is fetched, ext what
// follows its dot.
func (d *Draft) Keep(title, ext string) (Ticket, error) {
	if err := d.file.Close(); err != nil {
		return Ticket{}, err
	}
	title = plain(title) + "." + ext
	if err := os.Rename(filepath.Join(d.dir, draft), filepath.Join(d.dir, title)); err != nil {
		return Ticket{}, err
	}
	expires := d.stamp(d.shelf.now())
	kept := d.shelf.place(d.id[:], d.owner)
	if kept != d.dir {
		if err := os.Rename(d.dir, kept); err != nil {
			return Ticket{}, err
		}
	}
	d.done = true
	token := base64.RawURLEncoding.EncodeToString(append(d.id[:], d.shelf.sign(d.id[:], d.owner, ext)...))
	return Ticket{Name: prefix + token + "." + ext, Title: title, Size: d.size, ExpiresAt: expires}, nil
}

// Close removes the file unless it was kept.
func (d *Draft) Close() error {
	if d.done {
		return nil
	}
	_ = d.file.Close()
	return os.RemoveAll(d.dir)
}

// sign is the signature over what a file's name says.
func (s *Shelf) sign(id []byte, owner, ext string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(id)
	mac.Write([]byte(owner + "\x00" + ext))
	return mac.Sum(nil)[:macLen]
}

// Kept is a file as it is fetched.
type Kept struct {
	*os.File

	Title     string // with its extension
	Tag       string // never the same for two files
	Size      int64
	KeptAt    time.Time
	ExpiresAt time.Time
}

// Open returns a file of the owner by the name on its ticket.
func (s *Shelf) Open(owner, name string) (*Kept, error) {
	token, ext, ok := strings.Cut(strings.TrimPrefix(name, prefix), ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if !ok || err != nil || len(raw) != idLen+macLen || !strings.HasPrefix(name, prefix) {
		return nil, ErrMissing
	}
	id := raw[:idLen]
	if !hmac.Equal(raw[idLen:], s.sign(id, owner, ext)) {
		return nil, ErrMissing
	}
	k := &Kept{Tag: hex.EncodeToString(id), ExpiresAt: expiry(id)}
	if !s.now().Before(k.ExpiresAt) {
		return nil, ErrExpired
	}
	dir := s.place(id, owner)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() == draft {
		return nil, ErrMissing
	}
	k.Title = entries[0].Name()
	if k.File, err = os.Open(filepath.Join(dir, k.Title)); err != nil {
		return nil, ErrMissing
	}
	info, err := k.Stat()
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	k.Size, k.KeptAt = info.Size(), info.ModTime()
	return k, nil
}

func expiry(id []byte) time.Time {
	var b [8]byte
	copy(b[2:], id[randomLen:])
	return time.Unix(int64(binary.BigEndian.Uint64(b[:])), 0).UTC() //nolint:gosec // 48 bits
}

// Sweep removes what has expired, and returns how many files that were.
func (s *Shelf) Sweep() (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), "-")
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != idLen || s.now().Before(expiry(id)) {
			continue // not ours, or still good
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// plain is a title that can be the name of a file.
func plain(title string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r == 0x7f, r == utf8.RuneError, strings.ContainsRune(`/\:*?"<>|`, r):
			return ' '
		}
		return r
	}, title)
	name = strings.Join(strings.Fields(name), " ")
	const most = 120
	for len(name) > most {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	if name = strings.Trim(name, ". "); name == "" {
		return "report"
	}
	return name
}
