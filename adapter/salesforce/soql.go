package salesforce

import (
	"strings"
	"unicode/utf8"
)

// node is a condition as SOQL, in a form without negations: those are pushed
// down to the comparisons, where what null means is written out. It is a
// constant, a comparison, a list ("AccountId IN (...)") or a group.
//
// SOQL can't tell upper from lower case in most texts. A node that is not
// exact holds for more records than the filter does, never for fewer; what is
// too much is taken out when the records have come.
type node struct {
	op    nodeOp
	truth bool     // of a constant
	text  string   // a comparison; of a list, its field
	list  []string // literals
	parts []node
	exact bool
}

type nodeOp byte

const (
	opConstant nodeOp = iota
	opCompare
	opList
	opAll
	opAny
)

func constant(truth, exact bool) node { return node{op: opConstant, truth: truth, exact: exact} }

func compare(text string) node { return node{op: opCompare, text: text, exact: true} }

// loosely says that the node holds for too many records.
func (n node) loosely() node {
	n.exact = false
	return n
}

// everything holds always: for a condition that SOQL can't express.
func everything() node { return constant(true, false) }

func allOf(parts ...node) node { return group(opAll, parts) }
func anyOf(parts ...node) node { return group(opAny, parts) }

// group joins nodes, without groups in groups of their kind and without
// constants where there is anything else.
func group(op nodeOp, parts []node) node {
	n := node{op: op, exact: true}
	decides := op == opAny // a constant of this truth decides the group
	for _, p := range parts {
		switch {
		case p.op == opConstant && p.truth == decides:
			// Exactly nothing, or nothing at all to be sure of.
			if decides && !p.exact {
				return p
			}
			return constant(decides, true)
		case p.op == opConstant:
			n.exact = n.exact && p.exact
		case p.op == op:
			n.exact = n.exact && p.exact
			n.parts = append(n.parts, p.parts...)
		default:
			n.exact = n.exact && p.exact
			n.parts = append(n.parts, p)
		}
	}
	switch len(n.parts) {
	case 0:
		return constant(!decides, n.exact)
	case 1:
		only := n.parts[0]
		only.exact = n.exact
		return only
	}
	return n
}

// oneOf is a list of literals, "=" for one.
func oneOf(field string, literals []string) node {
	switch len(literals) {
	case 0:
		return constant(false, true)
	case 1:
		return compare(field + " = " + literals[0])
	}
	return node{op: opList, text: field, list: literals, exact: true}
}

// longList is from how many bytes on a list that can't be split is left out
// of a query and seen to afterwards.
const longList = 4000

// noneOf is the opposite of oneOf, for values that are set.
func noneOf(field string, literals []string) node {
	switch len(literals) {
	case 0:
		return constant(true, true)
	case 1:
		return compare(field + " != " + literals[0])
	}
	text := field + " NOT IN (" + strings.Join(literals, ",") + ")"
	if len(text) > longList {
		return everything()
	}
	return compare(text)
}

func isNull(field string) node  { return compare(field + " = null") }
func notNull(field string) node { return compare(field + " != null") }

// appendTo writes the node. Groups within groups get parentheses, which SOQL
// insists on.
func (n *node) appendTo(b []byte, inner bool) []byte {
	switch n.op {
	case opConstant:
		// There is no constant in SOQL, but every record has an id.
		if n.truth {
			return append(b, "Id != null"...)
		}
		return append(b, "Id = null"...)
	case opCompare:
		return append(b, n.text...)
	case opList:
		b = append(append(b, n.text...), " IN ("...)
		for i, literal := range n.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, literal...)
		}
		return append(b, ')')
	}
	word := " AND "
	if n.op == opAny {
		word = " OR "
	}
	if inner {
		b = append(b, '(')
	}
	for i := range n.parts {
		if i > 0 {
			b = append(b, word...)
		}
		b = n.parts[i].appendTo(b, true)
	}
	if inner {
		b = append(b, ')')
	}
	return b
}

// where is the node as a WHERE clause with a blank in front, "" if it always
// holds.
func (n *node) where() string {
	if n.op == opConstant && n.truth {
		return ""
	}
	return string(n.appendTo([]byte(" WHERE "), false))
}

// size is about how many bytes the node takes.
func (n *node) size() int {
	switch n.op {
	case opCompare:
		return len(n.text) + 8
	case opList:
		size := len(n.text) + 12
		for _, literal := range n.list {
			size += len(literal) + 1
		}
		return size
	}
	size := 10
	for i := range n.parts {
		size += n.parts[i].size()
	}
	return size
}

// split makes several nodes of one, each of at most the given size, by cutting
// its longest list. Together they hold for the same records, since no list
// stands under a negation. disjoint says that no record passes two of them.
// What has no list to cut comes back as it is.
func (n node) split(most int) (parts []node, disjoint bool) {
	size := n.size()
	if size <= most {
		return []node{n}, true
	}
	longest, conjunct := n.longest(true)
	if longest == nil || len(longest.list) < 2 {
		return []node{n}, true
	}
	literals := longest.list
	weight := 0
	for _, literal := range literals {
		weight += len(literal) + 1
	}
	room := max(most-(size-weight), 1)
	if half := weight/2 + 1; size-weight > most && room < half {
		// Other lists are too long as well: halve this one and go on.
		room = half
	}
	disjoint = conjunct
	for len(literals) > 0 {
		n, used := 0, 0
		for n < len(literals) && (n == 0 || used+len(literals[n])+1 <= room) {
			used += len(literals[n]) + 1
			n++
		}
		parts = append(parts, node{list: literals[:n]})
		literals = literals[n:]
	}
	if len(parts) == 1 {
		return []node{n}, true
	}
	var out []node
	for _, part := range parts {
		cut := n.replace(longest, part.list)
		more, alone := cut.split(most)
		disjoint = disjoint && alone
		out = append(out, more...)
		if len(out) > maxSplit {
			return out, disjoint
		}
	}
	return out, disjoint
}

// maxSplit is how many queries one filter may become.
const maxSplit = 1000

// longest finds the longest list, and whether every record that passes has to
// pass it.
func (n *node) longest(conjunct bool) (found *node, holds bool) {
	if n.op == opList {
		return n, conjunct
	}
	most := 0
	for i := range n.parts {
		list, isConjunct := n.parts[i].longest(conjunct && n.op == opAll)
		if list == nil {
			continue
		}
		if size := list.size(); size > most {
			found, holds, most = list, isConjunct, size
		}
	}
	return found, holds
}

// replace returns the node with another list in the place of one of its own.
func (n *node) replace(old *node, list []string) node {
	out := *n
	if n == old {
		out.list = list
		return out
	}
	out.parts = make([]node, len(n.parts))
	for i := range n.parts {
		out.parts[i] = n.parts[i].replace(old, list)
	}
	return out
}

// quoted is a text as a literal of SOQL: nothing in it can end it.
func quoted(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '\'')
	for _, r := range s {
		b = appendEscaped(b, r)
	}
	return string(append(b, '\''))
}

func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '\'', '\\', '"':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	}
	if r < ' ' || r == 0x7f || r == utf8.RuneError {
		const digits = "0123456789abcdef"
		return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
	}
	return utf8.AppendRune(b, r)
}

// likePattern is a pattern of Odoo's "like" as a literal of SOQL's LIKE, where
// a backslash makes the next character literal in both. contains puts a % at
// both ends.
//
// Salesforce warns against backslashes in patterns that are not escapes, so
// one that is meant to be found is written as _, any character, and the
// pattern is no longer exact.
func likePattern(s string, contains bool) (literal string, exact bool) {
	exact = true
	b := []byte{'\''}
	if contains {
		b = append(b, '%')
	}
	escaped := false
	one := func(r rune) {
		switch {
		case r == '\\':
			b, exact = append(b, '_'), false
		case r == '%' || r == '_':
			b = append(b, '\\', byte(r))
		default:
			b = appendEscaped(b, r)
		}
	}
	for _, r := range s {
		switch {
		case escaped:
			escaped = false
			one(r)
		case r == '\\':
			escaped = true
		case r == '%' || r == '_':
			b = append(b, byte(r))
		default:
			b = appendEscaped(b, r)
		}
	}
	switch {
	case escaped && contains:
		// As Odoo builds it, the backslash at the end escapes the % behind.
		b = append(b, `\%`...)
	case escaped:
		one('\\')
	case contains:
		b = append(b, '%')
	}
	return string(append(b, '\'')), exact
}

// cased reports whether two spellings of a text can differ by case alone.
func cased(s string) bool { return strings.ToLower(s) != strings.ToUpper(s) }
