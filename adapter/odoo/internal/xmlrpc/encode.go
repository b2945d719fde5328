package xmlrpc

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	kolo "github.com/kolo/xmlrpc"
)

// ValueError is returned for a value that XML-RPC can't carry.
type ValueError struct {
	Path   string // where it is: "[5][0].name"
	Reason string
}

// Error tells the reason and the place.
func (e *ValueError) Error() string { return e.Reason + " (at " + e.Path + ")" }

// EncodeCall writes a call. Every value is written as encoding/json would
// see it, so that a call means the same over XML-RPC as over JSON: a whole
// float is an integer, a []byte its base64 as a string, a struct its JSON
// object, nil is nil.
//
// A value that can't be carried is a *ValueError: text that is not UTF-8 or
// holds control characters, an infinite number, an integer of more than 64
// bits.
func EncodeCall(method string, args ...any) ([]byte, error) {
	if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r > 127 || !isNameByte(byte(r)) }) {
		return nil, &ValueError{Path: "method", Reason: fmt.Sprintf("%.80q is no name of a method", method)}
	}
	var c converter
	converted := make([]any, len(args))
	for i, arg := range args {
		v, err := c.value(arg, 0)
		if err != nil {
			err.Path = "[" + strconv.Itoa(i) + "]" + err.Path
			return nil, err
		}
		converted[i] = v
	}
	doc, err := kolo.EncodeMethodCall(method, converted...)
	if err != nil {
		return nil, err
	}
	if c.nils {
		doc = bytes.ReplaceAll(doc, nilEncoded, []byte("<value><nil/></value>"))
	}
	return doc, nil
}

// nilMark stands for nil, which kolo/xmlrpc writes as an empty string. It
// encodes to what nothing else can: base64 of three characters is none, and
// text can't hold a '<'.
const nilMark = kolo.Base64("nil")

var nilEncoded = []byte("<value><base64>nil</base64></value>")

// maxDepth bounds how deep values may lie in each other.
const maxDepth = 512

// converter turns values into those that kolo/xmlrpc writes as meant. It
// neither escapes the keys of maps nor minds characters outside XML, and
// takes a []byte for a list of integers.
type converter struct{ nils bool }

func (c *converter) value(v any, depth int) (any, *ValueError) {
	if depth > maxDepth {
		return nil, &ValueError{Reason: "values too deep in each other"}
	}
	switch v := v.(type) {
	case nil:
		c.nils = true
		return nilMark, nil
	case bool:
		return v, nil
	case string:
		return v, checkText(v)
	case int:
		return v, nil
	case int64:
		return v, nil
	case float64:
		return number(v)
	case json.Number:
		return literal(string(v))
	case []any:
		if v == nil {
			return c.value(nil, depth)
		}
		list := make([]any, len(v))
		for i, item := range v {
			converted, err := c.value(item, depth+1)
			if err != nil {
				err.Path = "[" + strconv.Itoa(i) + "]" + err.Path
				return nil, err
			}
			list[i] = converted
		}
		return list, nil
	case map[string]any:
		if v == nil {
			return c.value(nil, depth)
		}
		object := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := checkText(key); err != nil {
				err.Path = "." + strconv.Quote(key)
				return nil, err
			}
			converted, err := c.value(v[key], depth+1)
			if err != nil {
				err.Path = "." + key + err.Path
				return nil, err
			}
			object[escape(key)] = converted
		}
		return object, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &ValueError{Reason: fmt.Sprintf("a %T can't be sent: %v", v, err)}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return nil, &ValueError{Reason: fmt.Sprintf("a %T can't be sent: %v", v, err)}
	}
	return c.value(plain, depth)
}

func number(f float64) (any, *ValueError) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, &ValueError{Reason: "a number that is not finite can't be sent"}
	}
	return literal(string(b))
}

// literal is the number of a JSON literal: an integer if it is written as
// one.
func literal(s string) (any, *ValueError) {
	if !json.Valid([]byte(s)) || s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return nil, &ValueError{Reason: fmt.Sprintf("%.40q is no number", s)}
	}
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return n, nil
		}
		return nil, &ValueError{Reason: "an integer of more than 64 bits can't be sent"}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, &ValueError{Reason: "a number that large can't be sent"}
	}
	return f, nil
}

// checkText refuses what XML 1.0 can't hold.
func checkText(s string) *ValueError {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return &ValueError{Reason: "text that is not UTF-8 can't be sent"}
			}
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return &ValueError{Reason: fmt.Sprintf("the character U+%04X can't be sent over XML-RPC", r)}
		}
	}
	return nil
}

func escape(key string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(key)); err != nil {
		return key // a strings.Builder does not fail
	}
	return b.String()
}
