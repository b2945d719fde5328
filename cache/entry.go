package cache

import (
	"encoding/binary"
	"encoding/json"
	"time"
)

// An entry in a shared store is a header and the bytes as they are sent:
//
//	byte    0      entryVersion
//	byte    1      the maker's flags
//	bytes   2-9    generation, big endian
//	bytes  10-17   expiry, Unix milliseconds, big endian
//	bytes  18-21   length of the meta part, big endian
//	then the meta part, then the body
const (
	entryVersion = 1
	entryHeader  = 22
)

func appendEntry(dst []byte, gen Generation, v Value, expires time.Time) []byte {
	if dst == nil {
		dst = make([]byte, 0, entryHeader+len(v.Meta)+len(v.Body))
	}
	dst = append(dst, entryVersion, v.Flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(gen))
	dst = binary.BigEndian.AppendUint64(dst, uint64(expires.UnixMilli()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Meta)))
	dst = append(dst, v.Meta...)
	return append(dst, v.Body...)
}

// decodeEntry reads an entry of the given generation. Anything else, whatever
// it is, is no entry.
func decodeEntry(s string, gen Generation) (v Value, expires time.Time, ok bool) {
	if len(s) < entryHeader || s[0] != entryVersion {
		return Value{}, time.Time{}, false
	}
	b := []byte(s)
	if Generation(binary.BigEndian.Uint64(b[2:])) != gen {
		return Value{}, time.Time{}, false
	}
	expires = time.UnixMilli(int64(binary.BigEndian.Uint64(b[10:])))
	meta := uint64(binary.BigEndian.Uint32(b[18:]))
	rest := b[entryHeader:]
	if meta > uint64(len(rest)) {
		return Value{}, time.Time{}, false
	}
	v = Value{Flags: b[1], Body: rest[meta:]}
	if meta > 0 {
		v.Meta = rest[:meta:meta]
	}
	return v, expires, true
}

// A subject travels as a JSON list of its three parts.
func formatSubject(s Subject) []byte {
	b, _ := json.Marshal([3]string{s.Tenant, s.System, s.Model})
	return b
}

func parseSubject(b string) (Subject, bool) {
	var parts [3]string
	if json.Unmarshal([]byte(b), &parts) != nil {
		return Subject{}, false
	}
	return Subject{Tenant: parts[0], System: parts[1], Model: parts[2]}, true
}
