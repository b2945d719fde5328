package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/bridgecore/bridgecore/adapter"
)

// Argon2id as OWASP recommends it: 19 MiB, two passes, one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	saltBytes   = 16
	hashBytes   = 32
)

// maxWaiting is how many may wait for a hash at once; more are turned away.
const maxWaiting = 64

// Passwords hashes and verifies passwords with argon2id. Each takes some 30 ms
// and 19 MiB, so only as many run at once as there are processors.
type Passwords struct {
	slots   chan struct{}
	waiting atomic.Int64
	decoy   string
}

// NewPasswords returns a hasher.
func NewPasswords() *Passwords {
	return &Passwords{
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0))),
		decoy: encode(make([]byte, saltBytes), make([]byte, hashBytes)),
	}
}

// Hash returns the password's hash with a fresh salt, in PHC form. Whether the
// password is a good one is a matter of Policy.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if password == "" || len(password) > MaxPassword {
		return "", wrongPassword("the password must have 1 to %d bytes", MaxPassword)
	}
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	return encode(salt, derive(password, salt)), nil
}

// Verify reports whether hash is the password's. With hash "", which belongs
// to nobody, it takes the same time and reports false.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = p.decoy
	}
	salt, want, err := decode(hash)
	if err != nil {
		return false, err
	}
	if len(password) > MaxPassword {
		password = "" // no stored password is empty
	}
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer p.leave()
	return subtle.ConstantTimeCompare(derive(password, salt), want) == 1 && known, nil
}

func (p *Passwords) enter(ctx context.Context) error {
	if p.waiting.Add(1) > maxWaiting {
		p.waiting.Add(-1)
		return &adapter.Error{Code: adapter.Unavailable, Message: "too many logins at once; try again in a second", Temporary: true, NothingSent: true, RetryAfter: time.Second}
	}
	defer p.waiting.Add(-1)
	if err := ctx.Err(); err != nil { // select would choose by chance
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Passwords) leave() { <-p.slots }

func derive(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, hashBytes)
}

var phc = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonTime, argonLanes)

func encode(salt, hash []byte) string {
	b64 := base64.RawStdEncoding
	return phc + b64.EncodeToString(salt) + "$" + b64.EncodeToString(hash)
}

func decode(text string) (salt, hash []byte, err error) {
	rest, known := strings.CutPrefix(text, phc)
	saltText, hashText, two := strings.Cut(rest, "$")
	salt, saltErr := base64.RawStdEncoding.DecodeString(saltText)
	hash, hashErr := base64.RawStdEncoding.DecodeString(hashText)
	if !known || !two || saltErr != nil || hashErr != nil || len(hash) != hashBytes {
		return nil, nil, errors.New("a stored password hash is not in the expected form")
	}
	return salt, hash, nil
}
