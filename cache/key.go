package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// Identity says for whom an answer is true. A system's answer depends on who
// asks, so every part of it goes into the key; without one there is no key.
type Identity struct {
	Tenant string // required: whose system it is
	System string // required: the system's id within the tenant
	// Credential tells apart whom the system takes us for: a fingerprint,
	// never the credential. Required.
	Credential string
	Companies  []int64 // in their order: the first one is current
	Language   string
	Timezone   string
	// Extra is whatever else changes answers: further entries of the system's
	// context, the version of a mapping or rule pack.
	Extra []string
}

// Subject is what can change: a model of a tenant's system, or with an empty
// Model all of the system.
type Subject struct {
	Tenant string
	System string
	Model  string
}

// Key names one answer. It is made by [NewKey] alone, and its zero value is
// refused by every method that takes one.
type Key struct {
	sum       [20]byte
	tenant    string
	system    string
	family    string
	operation string
	model     string
	related   []string // further models whose changes make the answer stale
	space     uint64   // hash of tenant and system, this process only
}

// Question is what was asked, apart from who asked.
type Question struct {
	Family    string // first part of the readable key; "" is "odoo"
	Operation string // required
	Model     string // required
	// Related are further models that the answer was made from: a change of
	// one of them makes it stale too.
	Related []string
	// Arguments is everything else in one canonical form: equal questions
	// have equal bytes, and no two different ones do.
	Arguments []byte
}

var (
	seed    = maphash.MakeSeed()
	buffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}
)

// NewKey makes the key of a question asked by somebody. It fails when the
// identity or the question lacks a required part.
func NewKey(id Identity, q Question) (Key, error) {
	switch "" {
	case id.Tenant, id.System, id.Credential:
		return Key{}, adapter.Errorf(adapter.Internal, "a cache key needs a tenant, a system and a credential fingerprint")
	case q.Operation, q.Model:
		return Key{}, adapter.Errorf(adapter.Internal, "a cache key needs an operation and a model")
	}
	if q.Family == "" {
		q.Family = "odoo"
	}
	pooled := buffers.Get().(*[]byte)
	b := (*pooled)[:0]
	// Each part goes in with its length, so that no two lists of parts run
	// together to the same bytes.
	for _, part := range [...]string{id.Tenant, id.System, id.Credential, id.Language, id.Timezone, q.Family, q.Operation, q.Model} {
		b = appendPart(b, part)
	}
	b = binary.AppendUvarint(b, uint64(len(id.Companies)))
	for _, n := range id.Companies {
		b = binary.AppendVarint(b, n)
	}
	b = appendParts(b, id.Extra)
	b = appendParts(b, q.Related)
	b = append(b, q.Arguments...)
	sum := sha256.Sum256(b)
	*pooled = b
	buffers.Put(pooled)

	k := Key{
		tenant: id.Tenant, system: id.System, family: q.Family, operation: q.Operation, model: q.Model,
		related: q.Related, space: spaceOf(id.Tenant, id.System),
	}
	copy(k.sum[:], sum[:])
	return k, nil
}

func appendPart(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendParts(b []byte, parts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(parts)))
	for _, s := range parts {
		b = appendPart(b, s)
	}
	return b
}

// String returns the key in its documented form,
// odoo:{system}:{operation}:{model}:{hash}. The hash covers the tenant, the
// whole identity and the arguments.
func (k Key) String() string {
	return k.family + ":" + k.system + ":" + k.operation + ":" + k.model + ":" + hex.EncodeToString(k.sum[:])
}

// IsZero reports whether the key was never made.
func (k Key) IsZero() bool { return k.model == "" }

// subjects calls f with everything whose change makes the answer stale.
func (k *Key) subjects(f func(Subject)) {
	f(Subject{Tenant: k.tenant, System: k.system})
	f(Subject{Tenant: k.tenant, System: k.system, Model: k.model})
	for _, model := range k.related {
		if model != k.model {
			f(Subject{Tenant: k.tenant, System: k.system, Model: model})
		}
	}
}

// concerns reports whether a change of the subject makes the key stale.
func (k *Key) concerns(s Subject) bool {
	return k.tenant == s.Tenant && k.system == s.System &&
		(s.Model == "" || k.model == s.Model || slices.Contains(k.related, s.Model))
}

func spaceOf(tenant, system string) uint64 {
	return mix(maphash.String(seed, tenant), maphash.String(seed, system))
}

// mix folds b into a so that the order counts and no step loses bits.
func mix(a, b uint64) uint64 {
	h := (a ^ (b + 0x9e3779b97f4a7c15 + a<<6 + a>>2)) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

// label makes a readable and unambiguous name of a subject for a store that
// is shared.
func (s Subject) label() string {
	model := s.Model
	if model == "" {
		model = "*"
	}
	sum := sha256.Sum256(appendParts(nil, []string{s.Tenant, s.System, s.Model}))
	return strings.Join([]string{s.System, model, hex.EncodeToString(sum[:12])}, ":")
}
