package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// action is what a rule does to the values of its fields, in the order of the
// rule's From and To. Both directions find their result preset to absent.
type action interface {
	up(c *call, old, new []any) error
	down(c *call, new, old []any) error
}

// call is what an action may see besides its fields, and how it says what it
// did.
type call struct {
	run  *runner
	via  any   // the value of the rule's Via field in the old record
	fate Fate  // set by the action; the rule's own where it sets none
	ask  bool  // a person must decide about this record
	free bool  // going down: a value was made up
	gone []int // going down: places in old that could not be had back
}

// errUnfit is the error of a value that a rule can't work on; the rule's
// policy says what becomes of it.
type errUnfit struct{ why string }

func (e errUnfit) Error() string { return e.why }

func unfit(v any, want string) error {
	return errUnfit{why: fmt.Sprintf("%s is not %s", brief(v), want)}
}

// brief writes a value for an error message, in a few characters.
func brief(v any) string {
	if isAbsent(v) {
		return "an absent field"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("a %T", v)
	}
	const most = 60
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "..."
	}
	return string(b)
}

// empty reports whether a value is absent or empty as systems write it.
func empty(v any) bool { return isAbsent(v) || adapter.IsEmpty(v) }

// void is empty without false, which may be a boolean's value.
func void(v any) bool { return v != false && empty(v) }

// actionOf makes the action of a rule; hop gives the renames of models.
func actionOf(r *Rule, h *Hop, funcs map[string]Func) action {
	switch r.Verb {
	case Rename:
		return renameAction{}
	case Remove:
		a := removeAction{rule: r}
		if len(r.To) > 0 {
			a.values = newValueTable(r.Values)
		}
		return a
	case Map:
		back := maps.Clone(invert(r.Values))
		for k, v := range newValueTable(r.Back) {
			back[k] = v
		}
		return mapAction{rule: r, values: newValueTable(r.Values), back: back, several: several(r.Values)}
	case Table:
		return newTableAction(r)
	case Convert:
		return convertAction{rule: r, conv: converters[r.Kind]}
	case Constant:
		return constantAction{r}
	case Default:
		return defaultAction{r}
	case Add:
		return addAction{rule: r, values: newValueTable(r.Values)}
	case Split:
		return splitAction{r}
	case Merge:
		return mergeAction{r}
	case Move:
		return moveAction{r}
	case ModelName:
		return modelNameAction{rule: r, hop: h, text: wholeName}
	case Reference:
		return modelNameAction{rule: r, hop: h, text: referenceName}
	case LookupOf:
		return lookupAction{r}
	case Custom:
		return funcAction{rule: r, f: funcs[r.Kind]}
	}
	return renameAction{}
}

// fresh copies a rule's value for a record of its own.
func fresh(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = fresh(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = fresh(item)
		}
		return out
	}
	return v
}

type renameAction struct{}

func (renameAction) up(_ *call, old, new []any) error   { copy(new, old); return nil }
func (renameAction) down(_ *call, new, old []any) error { copy(old, new); return nil }

// removeAction leaves a field out, and may fill another from it.
type removeAction struct {
	rule   *Rule
	values valueTable
	// displaced says that the old version need not have the field at all, so
	// that nobody misses it going down.
	displaced bool
}

func (a removeAction) up(c *call, old, new []any) error {
	c.fate = Dropped
	if len(new) == 0 {
		return nil
	}
	new[0] = old[1]
	if !empty(old[1]) || isAbsent(old[0]) {
		return nil
	}
	if v, ok := a.values.get(old[0]); ok && v != nil {
		new[0] = v
		c.fate = Converted
	}
	return nil
}

func (a removeAction) down(c *call, new, old []any) error {
	if len(new) > 0 {
		old[1] = new[0]
	}
	if a.rule.HasBack {
		if !c.run.opts.Partial {
			old[0], c.free = fresh(a.rule.BackTo), true
		}
		return nil
	}
	if !a.displaced {
		c.gone = append(c.gone, 0)
	}
	return nil
}

// valueTable maps scalars by their key; a nil value is no counterpart.
type valueTable map[scalar]any

func newValueTable(rows []Row) valueTable {
	t := make(valueTable, len(rows))
	for _, r := range rows {
		if k, ok := scalarKey(r.From[0]); ok {
			t[k] = r.To[0]
		}
	}
	return t
}

func (t valueTable) get(v any) (any, bool) {
	k, ok := scalarKey(v)
	if !ok {
		return nil, false
	}
	to, ok := t[k]
	return to, ok
}

// invert is the way back: of several old values the first one, but a value
// that both sides have stays what it is.
func invert(rows []Row) valueTable {
	t := valueTable{}
	for _, r := range rows {
		k, ok := scalarKey(r.To[0])
		if !ok || r.To[0] == nil {
			continue
		}
		if old, _ := scalarKey(r.From[0]); old == k {
			t[k] = r.From[0]
		} else if _, taken := t[k]; !taken {
			t[k] = r.From[0]
		}
	}
	return t
}

type mapAction struct {
	rule         *Rule
	values, back valueTable
	several      map[scalar]bool // new values that more than one old value becomes
}

func several(rows []Row) map[scalar]bool {
	seen, out := map[scalar]bool{}, map[scalar]bool{}
	for _, r := range rows {
		if k, ok := scalarKey(r.To[0]); ok && r.To[0] != nil {
			out[k] = seen[k]
			seen[k] = true
		}
	}
	return out
}

func (a mapAction) up(c *call, old, new []any) error {
	v := old[0]
	if isAbsent(v) {
		return nil
	}
	c.fate = Converted
	if to, ok := a.values.get(v); ok {
		if to == nil {
			c.fate = Dropped
			return nil
		}
		new[0] = to
		return nil
	}
	if v == nil || v == false {
		new[0] = v
		return nil
	}
	return unknown(c, a.rule, v, &new[0])
}

// unknown applies a rule's policy to a value that it does not know.
func unknown(c *call, r *Rule, v any, to *any) error {
	switch r.Unknown {
	case ToResidue:
		c.fate = Dropped
	case Refuse:
		return unfit(v, "a value that the rule knows")
	case Otherwise:
		c.fate = Defaulted
		if r.Otherwise[0] != nil {
			*to = r.Otherwise[0]
		}
	default:
		c.fate = Carried
		*to = v
	}
	return nil
}

func (a mapAction) down(c *call, new, old []any) error {
	v := new[0]
	if isAbsent(v) {
		return nil
	}
	if from, ok := a.back.get(v); ok {
		k, _ := scalarKey(v)
		c.free = a.several[k]
		if from != nil {
			old[0] = from
		}
		return nil
	}
	if v != nil && v != false && a.rule.Unknown == Refuse {
		return unfit(v, "a value that the rule knows")
	}
	if a.rule.Unknown == ToResidue && v != nil && v != false {
		return nil
	}
	old[0] = v
	return nil
}

// tableAction is a value map over several fields.
type tableAction struct {
	rule    *Rule
	rowUp   map[string]int // row by the key of its old values
	rowDown map[string]int
	same    [][2]int // places of fields of one name: old, new
}

func newTableAction(r *Rule) *tableAction {
	a := &tableAction{rule: r, rowUp: map[string]int{}, rowDown: map[string]int{}}
	for i, f := range r.From {
		if j := slices.Index(r.To, f); j >= 0 {
			a.same = append(a.same, [2]int{i, j})
		}
	}
	for i, row := range r.Values {
		if k, ok := tupleKey(row.From); ok {
			a.rowUp[k] = i
		}
		if k, ok := tupleKey(row.To); ok {
			if _, taken := a.rowDown[k]; !taken {
				a.rowDown[k] = i
			}
		}
	}
	return a
}

func (a *tableAction) up(c *call, old, new []any) error {
	c.fate = Converted
	if k, ok := tupleKey(old); ok {
		if i, known := a.rowUp[k]; known {
			fill(new, a.rule.Values[i].To)
			return nil
		}
	}
	if !slices.ContainsFunc(old, func(v any) bool { return !empty(v) }) {
		a.keep(old, new, 0, 1)
		return nil
	}
	switch a.rule.Unknown {
	case ToResidue:
		c.fate = Dropped
	case Refuse:
		return unfit(slices.DeleteFunc(slices.Clone(old), isAbsent), "a combination that the rule knows")
	case Otherwise:
		c.fate = Defaulted
		fill(new, a.rule.Otherwise)
	default:
		c.fate = Carried
		a.keep(old, new, 0, 1)
	}
	return nil
}

func fill(to, values []any) {
	for i, v := range values {
		if v != nil {
			to[i] = v
		}
	}
}

func (a *tableAction) keep(from, to []any, f, t int) {
	for _, pair := range a.same {
		to[pair[t]] = from[pair[f]]
	}
}

func (a *tableAction) down(c *call, new, old []any) error {
	if k, ok := tupleKey(new); ok {
		if i, known := a.rowDown[k]; known {
			fill(old, a.rule.Values[i].From)
			return nil
		}
	}
	// Some of the fields alone: the row that they fit, best one that leaves
	// the fields of the same name as they are.
	best := -1
	for i, row := range a.rule.Values {
		if !fits(row.To, new) {
			continue
		}
		if best < 0 {
			best = i
		}
		if a.unchanged(row) {
			best = i
			break
		}
	}
	if best >= 0 {
		c.free = true
		fill(old, a.rule.Values[best].From)
		return nil
	}
	if a.rule.Unknown == Refuse && slices.ContainsFunc(new, func(v any) bool { return !empty(v) }) {
		return unfit(slices.DeleteFunc(slices.Clone(new), isAbsent), "a combination that the rule knows")
	}
	a.keep(new, old, 1, 0)
	return nil
}

func fits(row, values []any) bool {
	some := false
	for i, v := range values {
		if isAbsent(v) {
			continue
		}
		some = true
		a, _ := scalarKey(row[i])
		b, ok := scalarKey(v)
		if !ok || a != b {
			return false
		}
	}
	return some
}

func (a *tableAction) unchanged(row Row) bool {
	for _, pair := range a.same {
		x, _ := scalarKey(row.From[pair[0]])
		y, _ := scalarKey(row.To[pair[1]])
		if x != y {
			return false
		}
	}
	return len(a.same) > 0
}

type constantAction struct{ rule *Rule }

func (a constantAction) up(c *call, _, new []any) error {
	c.fate = Defaulted
	new[0] = fresh(a.rule.Value)
	return nil
}

func (a constantAction) down(c *call, _, old []any) error {
	switch {
	case a.rule.HasBack && !c.run.opts.Partial:
		old[0], c.free = fresh(a.rule.BackTo), true
	case !a.rule.HasBack:
		c.gone = append(c.gone, 0)
	}
	return nil
}

type defaultAction struct{ rule *Rule }

func (a defaultAction) up(c *call, old, new []any) error {
	c.fate = Carried
	new[0] = old[0]
	if void(old[0]) || (a.rule.OverEmpty && old[0] == false) {
		c.fate = Defaulted
		new[0] = fresh(a.rule.Value)
	}
	return nil
}

func (defaultAction) down(_ *call, new, old []any) error { old[0] = new[0]; return nil }

type addAction struct {
	rule   *Rule
	values valueTable
}

func (a addAction) up(c *call, old, new []any) error {
	if !isAbsent(old[0]) && old[0] != nil && (!a.rule.OverEmpty || !empty(old[0])) {
		c.fate = Carried
		new[0] = old[0]
		return nil
	}
	c.fate = Defaulted
	switch {
	case a.rule.HasValue:
		new[0] = fresh(a.rule.Value)
	case a.rule.Via != "" && len(a.values) == 0:
		if !isAbsent(c.via) {
			new[0] = c.via
		}
	case a.rule.Via != "":
		if v, ok := a.values.get(c.via); ok && v != nil {
			new[0] = v
		}
	}
	if isAbsent(new[0]) {
		c.fate, c.ask = NeedsPerson, true
		new[0] = old[0]
	}
	return nil
}

func (a addAction) down(_ *call, new, old []any) error {
	if a.rule.OverEmpty {
		old[0] = new[0]
	}
	return nil
}

type splitAction struct{ rule *Rule }

func (a splitAction) up(c *call, old, new []any) error {
	if isAbsent(old[0]) {
		return nil
	}
	c.fate = Converted
	if old[0] == nil || old[0] == false {
		new[0] = old[0]
		return nil
	}
	s, ok := old[0].(string)
	if !ok {
		return unfit(old[0], "a text")
	}
	first, rest, found := strings.Cut(s, a.rule.Separator)
	new[0] = first
	if found {
		new[1] = rest
	}
	return nil
}

func (a splitAction) down(_ *call, new, old []any) error {
	joined, ok := join(new, a.rule.Separator)
	if !ok {
		return unfit(new[0], "a text")
	}
	old[0] = joined
	return nil
}

// join puts texts together; false and absent ones are left out. Where there is
// no text the first value that is there stands.
func join(values []any, separator string) (any, bool) {
	var texts []string
	var first any = absent{}
	for _, v := range values {
		if isAbsent(v) {
			continue
		}
		if isAbsent(first) {
			first = v
		}
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case nil, bool:
			if v == true {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	if texts == nil {
		return first, true
	}
	return strings.Join(texts, separator), true
}

type mergeAction struct{ rule *Rule }

func (a mergeAction) up(c *call, old, new []any) error {
	c.fate = Converted
	var first any = absent{}
	for _, v := range old {
		if !isAbsent(v) && (isAbsent(first) || (empty(first) && !empty(v))) {
			first = v
		}
	}
	switch a.rule.Kind {
	case "first":
		new[0] = first
		for _, v := range old {
			if !empty(v) && !equalData(v, first) {
				c.ask = true
			}
		}
	case "join":
		joined, ok := join(old, a.rule.Separator)
		if !ok {
			return unfit(old[0], "a text")
		}
		new[0] = joined
	case "any":
		new[0] = slices.ContainsFunc(old, func(v any) bool { return !empty(v) })
	case "sum":
		var sum big.Rat
		for _, v := range old {
			if empty(v) {
				continue
			}
			n, ok := numberOf(v)
			if !ok {
				return unfit(v, "a number")
			}
			sum.Add(&sum, n)
		}
		new[0] = formatNumber(&sum)
	case "union":
		list := []any{}
		for _, v := range old {
			if empty(v) {
				continue
			}
			items, ok := v.([]any)
			if !ok {
				return unfit(v, "a list")
			}
			for _, item := range items {
				if !slices.ContainsFunc(list, func(o any) bool { return equalData(o, item) }) {
					list = append(list, item)
				}
			}
		}
		new[0] = list
	}
	return nil
}

func (a mergeAction) down(_ *call, new, old []any) error {
	old[0] = new[0]
	switch a.rule.Kind {
	case "first":
		for i := range old {
			if a.rule.HasBack {
				old[i] = new[0]
			}
		}
	case "join":
		s, ok := new[0].(string)
		if !ok {
			return nil
		}
		for i, part := range strings.SplitN(s, a.rule.Separator, len(old)) {
			old[i] = part
		}
	}
	return nil
}

type moveAction struct{ rule *Rule }

func (a moveAction) up(c *call, old, _ []any) error {
	c.fate = Moved
	if !empty(old[0]) {
		c.run.moved(a.rule, old[0])
	}
	return nil
}

func (moveAction) down(c *call, _, _ []any) error { c.gone = append(c.gone, 0); return nil }

// modelNameAction renames models inside values.
type modelNameAction struct {
	rule *Rule
	hop  *Hop
	text func(s string) (model, rest string)
}

func wholeName(s string) (string, string) { return s, "" }

func referenceName(s string) (string, string) {
	model, id, found := strings.Cut(s, ",")
	if found {
		return model, "," + id
	}
	return model, ""
}

func (a modelNameAction) up(c *call, old, new []any) error {
	if isAbsent(old[0]) {
		return nil
	}
	c.fate = Carried
	s, ok := old[0].(string)
	if !ok {
		if old[0] == nil || old[0] == false {
			new[0] = old[0]
			return nil
		}
		return unfit(old[0], "a model's name")
	}
	model, rest := a.text(s)
	m := a.hop.model(model)
	target := m.Target()
	if target == "" {
		// Removed, or split: nobody but a person knows which part is meant.
		c.ask = len(m.Branches) > 0
		return unknown(c, a.rule, s, &new[0])
	}
	if target != model {
		c.fate = Converted
	}
	new[0] = target + rest
	return nil
}

func (a modelNameAction) down(c *call, new, old []any) error {
	old[0] = new[0]
	s, ok := new[0].(string)
	if !ok {
		return nil
	}
	model, rest := a.text(s)
	sources := a.hop.sources(model)
	if len(sources) == 0 || slices.Contains(sources, model) {
		return nil
	}
	c.free = len(sources) > 1
	old[0] = sources[0] + rest
	return nil
}

// sources are the names, sorted, that a model of the new version may have had
// in the old one.
func (h *Hop) sources(model string) []string {
	var out []string
	renamedAway := false
	for name, m := range h.Models {
		if slices.Contains(m.targets(), model) {
			out = append(out, name)
		}
		if name == model {
			renamedAway = true
		}
	}
	if !renamedAway {
		// The hop does not speak of the name: it was there before, unless
		// another model took it over.
		if len(out) == 0 {
			out = append(out, model)
		}
	}
	slices.Sort(out)
	return out
}

type lookupAction struct{ rule *Rule }

func (a lookupAction) up(c *call, old, new []any) error {
	new[0] = old[0]
	if !empty(old[0]) {
		c.fate = Carried
		return nil
	}
	c.fate = Defaulted
	ref, ok := adapter.RefOf(c.via)
	if !ok {
		return nil
	}
	if c.run.opts.Lookup != nil {
		v, found, err := c.run.opts.Lookup.Lookup(c.run.ctx, a.rule.Model, ref.ID, a.rule.Read)
		if err != nil {
			return err
		}
		if found {
			new[0] = v
			return nil
		}
	}
	c.fate, c.ask = NeedsPerson, true
	return nil
}

func (lookupAction) down(*call, []any, []any) error { return nil }

type funcAction struct {
	rule *Rule
	f    Func
}

func (a funcAction) up(c *call, old, new []any) error {
	c.fate = Converted
	return a.call(c, a.f.Up, old, new)
}

func (a funcAction) down(c *call, new, old []any) error {
	if a.f.Down == nil {
		for i := range old {
			c.gone = append(c.gone, i)
		}
		return nil
	}
	return a.call(c, a.f.Down, new, old)
}

func (a funcAction) call(c *call, f func([]any) ([]any, error), from, to []any) error {
	if f == nil {
		return fmt.Errorf("function %s has no such direction", a.rule.Kind)
	}
	got, err := f(slices.Clone(from))
	if errors.Is(err, ErrNeedsPerson) {
		c.fate, c.ask = NeedsPerson, true
		for i := range to {
			to[i] = Absent
		}
		return nil
	}
	if err != nil {
		return err
	}
	if len(got) != len(to) {
		return fmt.Errorf("function %s gave %d values for %d fields", a.rule.Kind, len(got), len(to))
	}
	copy(to, got)
	return nil
}

// convertAction applies one of the converters.
type convertAction struct {
	rule *Rule
	conv converter
}

// converter is a kind of convert in both directions. Both get a value that is
// there and not null; false only where the converter takes it.
type converter struct {
	up, down   func(r *Rule, form Form, v any) (any, error)
	takesFalse bool
}

func (a convertAction) up(c *call, old, new []any) error {
	if isAbsent(old[0]) {
		return nil
	}
	c.fate = Converted
	if v, err := a.apply(a.conv.up, c, old[0]); err == nil {
		new[0] = v
		return nil
	} else if a.rule.Unknown == Refuse {
		return err
	}
	return unknown(c, a.rule, old[0], &new[0])
}

func (a convertAction) down(c *call, new, old []any) error {
	if isAbsent(new[0]) {
		return nil
	}
	v, err := a.apply(a.conv.down, c, new[0])
	if err == nil {
		old[0] = v
		return nil
	}
	switch a.rule.Unknown {
	case Refuse:
		return err
	case Keep, Otherwise:
		old[0] = new[0]
	default:
		c.gone = append(c.gone, 0)
	}
	return nil
}

func (a convertAction) apply(f func(*Rule, Form, any) (any, error), c *call, v any) (any, error) {
	if v == nil || (v == false && !a.conv.takesFalse) {
		return v, nil
	}
	return f(a.rule, c.run.opts.Form, v)
}

var converters = map[string]converter{
	"text_to_html":          {up: textToHTML, down: htmlToText},
	"html_to_text":          {up: htmlToText, down: textToHTML},
	"many2one_to_many2many": {up: oneToMany, down: manyToOne, takesFalse: true},
	"many2many_to_many2one": {up: manyToOne, down: oneToMany, takesFalse: true},
	"scale":                 {up: scale(false), down: scale(true)},
	"invert":                {up: reciprocal, down: reciprocal},
	"not":                   {up: negate, down: negate, takesFalse: true},
	"date_to_datetime":      {up: dateToMoment, down: momentToDate},
	"datetime_to_date":      {up: momentToDate, down: dateToMoment},
	"scalar_to_list":        {up: wrap, down: unwrap},
	"list_to_scalar":        {up: unwrap, down: wrap},
	"id_to_keyed":           {up: idToKeyed, down: keyedToID},
	"keyed_to_id":           {up: keyedToID, down: idToKeyed},
	"number_to_text":        {up: numberToText, down: textToNumber},
	"text_to_number":        {up: textToNumber, down: numberToText},
	"bool_to_text":          {up: boolToText, down: textToBool, takesFalse: true},
	"writable_many2one":     {up: toID, down: keepValue},
	"writable_x2many":       {up: toCommands, down: fromCommands},
}

func keepValue(_ *Rule, _ Form, v any) (any, error) { return v, nil }

func textToHTML(_ *Rule, _ Form, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, unfit(v, "a text")
	}
	if s == "" {
		return s, nil
	}
	lines := strings.Split(html.EscapeString(s), "\n")
	return "<p>" + strings.Join(lines, "<br>") + "</p>", nil
}

var (
	htmlBreak = regexp.MustCompile(`(?i)<br\s*/?>|</p>\s*<p[^>]*>|</div>\s*<div[^>]*>`)
	htmlTag   = regexp.MustCompile(`<[^>]*>`)
)

func htmlToText(_ *Rule, _ Form, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, unfit(v, "a text")
	}
	s = htmlBreak.ReplaceAllString(s, "\n")
	return html.UnescapeString(htmlTag.ReplaceAllString(s, "")), nil
}

func command(ids []any) any { return []any{[]any{json.Number("6"), json.Number("0"), ids}} }

func oneToMany(_ *Rule, form Form, v any) (any, error) {
	if v == false {
		if form == FormWrite {
			return command([]any{}), nil
		}
		return []any{}, nil
	}
	ref, ok := adapter.RefOf(v)
	if !ok {
		return nil, unfit(v, "a reference")
	}
	_, pair := v.([]any)
	ids := []any{idValue(ref.ID)}
	if form == FormRead || (form == FormAny && pair) {
		return ids, nil
	}
	return command(ids), nil
}

func manyToOne(_ *Rule, _ Form, v any) (any, error) {
	if v == false {
		return false, nil
	}
	ids, err := idList(v)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return false, nil
	}
	return ids[0], nil
}

// idList reads the ids of a to-many value: a list of ids, or commands that
// set or link records.
func idList(v any) ([]any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, unfit(v, "a list of ids")
	}
	ids := []any{}
	for _, item := range list {
		if cmd, ok := item.([]any); ok && len(cmd) == 3 {
			switch kind, _ := scalarKey(cmd[0]); kind {
			case scalar{'d', "6"}:
				set, ok := cmd[2].([]any)
				if !ok {
					return nil, unfit(v, "a command that sets records")
				}
				ids = append([]any{}, set...)
			case scalar{'d', "5"}:
				ids = []any{}
			case scalar{'d', "4"}:
				ids = append(ids, cmd[1])
			default:
				return nil, unfit(v, "a list of ids; it creates or changes records")
			}
			continue
		}
		ref, ok := adapter.RefOf(item)
		if !ok {
			return nil, unfit(v, "a list of ids")
		}
		ids = append(ids, idValue(ref.ID))
	}
	return ids, nil
}

// idValue is an id as JSON has it.
func idValue(id adapter.ID) any {
	if _, isInt := id.Int(); isInt {
		return json.Number(id.String())
	}
	return id.String()
}

func toID(_ *Rule, _ Form, v any) (any, error) {
	ref, ok := adapter.RefOf(v)
	if !ok {
		return nil, unfit(v, "a reference")
	}
	return idValue(ref.ID), nil
}

func toCommands(_ *Rule, _ Form, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, unfit(v, "a list of ids")
	}
	for _, item := range list {
		if _, isCommand := item.([]any); isCommand {
			return v, nil
		}
	}
	ids, err := idList(v)
	if err != nil {
		return nil, err
	}
	return command(ids), nil
}

func fromCommands(_ *Rule, _ Form, v any) (any, error) {
	if ids, err := idList(v); err == nil {
		return ids, nil
	}
	return v, nil // commands that change records stay what they are
}

func scale(back bool) func(*Rule, Form, any) (any, error) {
	return func(r *Rule, _ Form, v any) (any, error) {
		simple := r.times
		if back {
			simple = r.through
		}
		if got, ok := simple.of(v); ok {
			return got, nil
		}
		n, ok := numberOf(v)
		if !ok {
			return nil, unfit(v, "a number")
		}
		by := r.by
		if back {
			return formatNumber(new(big.Rat).Quo(n, by)), nil
		}
		return formatNumber(new(big.Rat).Mul(n, by)), nil
	}
}

func reciprocal(_ *Rule, _ Form, v any) (any, error) {
	n, ok := numberOf(v)
	if !ok || n.Sign() == 0 {
		return nil, unfit(v, "a number that has an inverse")
	}
	return formatNumber(new(big.Rat).Inv(n)), nil
}

func negate(_ *Rule, _ Form, v any) (any, error) {
	b, ok := v.(bool)
	if !ok {
		return nil, unfit(v, "true or false")
	}
	return !b, nil
}

func dateToMoment(r *Rule, _ Form, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, unfit(v, "a date")
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return nil, unfit(v, "a date")
	}
	return s + " " + r.Time, nil
}

func momentToDate(_ *Rule, _ Form, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, unfit(v, "a date and time")
	}
	if _, err := time.Parse(time.DateTime, s); err != nil {
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			return nil, unfit(v, "a date and time")
		}
	}
	return s[:len(time.DateOnly)], nil
}

func wrap(_ *Rule, _ Form, v any) (any, error) { return []any{v}, nil }

func unwrap(_ *Rule, _ Form, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, unfit(v, "a list")
	}
	if len(list) == 0 {
		return false, nil
	}
	return list[0], nil
}

func idToKeyed(r *Rule, _ Form, v any) (any, error) {
	ref, ok := adapter.RefOf(v)
	if !ok {
		return nil, unfit(v, "a reference")
	}
	return map[string]any{ref.ID.String(): r.Value}, nil
}

func keyedToID(_ *Rule, _ Form, v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return nil, unfit(v, "an object with one id")
	}
	for k := range m {
		n := json.Number(k)
		if _, err := n.Int64(); err == nil && json.Valid([]byte(k)) {
			return n, nil
		}
		if k != "" {
			return k, nil
		}
	}
	return nil, unfit(v, "an object with one id")
}

func numberToText(_ *Rule, _ Form, v any) (any, error) {
	if _, ok := numberOf(v); !ok {
		return nil, unfit(v, "a number")
	}
	b, err := json.Marshal(v)
	return string(b), err
}

func textToNumber(_ *Rule, _ Form, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, unfit(v, "a number's text")
	}
	s = strings.TrimSpace(s)
	if _, ok := parseNumber(s); !ok {
		return nil, unfit(v, "a number's text")
	}
	return json.Number(s), nil
}

func boolToText(r *Rule, _ Form, v any) (any, error) {
	b, ok := v.(bool)
	if !ok {
		return nil, unfit(v, "true or false")
	}
	if b {
		return r.Texts[1], nil
	}
	return r.Texts[0], nil
}

func textToBool(r *Rule, _ Form, v any) (any, error) {
	switch v {
	case r.Texts[1]:
		return true, nil
	case r.Texts[0], false:
		return false, nil
	}
	return nil, unfit(v, "one of the two texts")
}
