package edmx

import (
	"fmt"
	"strings"
)

// finish joins what the document has in different places.
func (p *parser) finish() (*Metadata, error) {
	for _, t := range p.m.Types {
		if err := p.merge(t, 0); err != nil {
			return nil, err
		}
	}
	for _, sets := range []map[string]*Set{p.m.Sets, p.m.Singletons} {
		for _, s := range sets {
			s.Type = p.m.Types[p.qualified(s.typeName)]
			if s.Type == nil {
				return nil, fmt.Errorf("edmx: the entity set %q is of the type %q, which the document lacks", s.Name, s.typeName)
			}
		}
	}
	for _, t := range p.m.Types {
		p.resolve(t)
	}
	p.mirrorConstraints()
	p.joinSets()
	p.joinOperations()
	p.annotate()
	for _, s := range p.m.Sets {
		for _, prop := range s.Type.Props {
			s.HasETag = s.HasETag || prop.Fixed
		}
	}
	return p.m, nil
}

// merge copies what a type has from its base types into it.
func (p *parser) merge(t *Type, depth int) error {
	if t.merged || t.base == "" {
		t.merged = true
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("edmx: the type %q is its own base type", t.Name)
	}
	base := p.m.Types[p.qualified(t.base)]
	if base == nil {
		return fmt.Errorf("edmx: the type %q has the base type %q, which the document lacks", t.Name, t.base)
	}
	if err := p.merge(base, depth+1); err != nil {
		return err
	}
	t.merged = true
	t.HasStream = t.HasStream || base.HasStream
	if len(t.Keys) == 0 {
		t.Keys = base.Keys
	}
	props := make([]*Property, 0, len(base.Props)+len(t.Props))
	for _, prop := range base.Props {
		if t.props[prop.Name] == nil {
			own := *prop
			t.props[prop.Name] = &own
			props = append(props, &own)
		}
	}
	t.Props = append(props, t.Props...)
	for _, nav := range base.Navs {
		if t.navs[nav.Name] == nil {
			own := *nav
			t.navs[nav.Name] = &own
			t.Navs = append(t.Navs, &own)
		}
	}
	return nil
}

// resolve completes the names in a type, and marks its keys.
func (p *parser) resolve(t *Type) {
	for _, key := range t.Keys {
		if prop := t.props[key]; prop != nil {
			prop.Key, prop.Nullable = true, false
		}
	}
	for _, prop := range t.Props {
		prop.Type = p.name(p.qualified(prop.Type))
		unit := t.props[prop.Unit]
		prop.Currency = prop.Currency || unit != nil && unit.Semantics == "currency-code"
	}
	for _, nav := range t.Navs {
		if nav.association != "" {
			p.resolveAssociation(t, nav)
		}
		nav.Target = p.name(p.qualified(nav.Target))
	}
}

// resolveAssociation finds out where a navigation property of v2 leads.
func (p *parser) resolveAssociation(t *Type, nav *Navigation) {
	a := p.assocs[p.qualified(nav.association)]
	if a == nil {
		return
	}
	for _, e := range a.ends {
		if e.role == nav.toRole {
			nav.Target, nav.Many = e.typ, e.many
		}
	}
	target := p.m.Types[p.qualified(nav.Target)]
	if target != nil {
		for _, back := range target.Navs {
			if back.association == nav.association && back.fromRole == nav.toRole && !(target == t && back.Name == nav.Name) {
				nav.Partner = back.Name
			}
		}
	}
	for i, principal := range a.principal.props {
		if i >= len(a.dependent.props) {
			break
		}
		pair := [2]string{a.dependent.props[i], principal}
		if a.principal.role == nav.fromRole {
			pair = [2]string{principal, a.dependent.props[i]}
		}
		nav.Constraint = append(nav.Constraint, pair)
	}
}

// mirrorConstraints gives a navigation property what is said on the way back:
// v4 writes on the dependent side alone which properties are equal.
func (p *parser) mirrorConstraints() {
	for _, t := range p.m.Types {
		for _, nav := range t.Navs {
			target := p.m.Types[nav.Target]
			if len(nav.Constraint) > 0 || nav.Partner == "" || target == nil {
				continue
			}
			back := target.navs[nav.Partner]
			if back == nil || back.mirrored {
				continue
			}
			for _, pair := range back.Constraint {
				nav.Constraint = append(nav.Constraint, [2]string{pair[1], pair[0]})
			}
			nav.mirrored = true
		}
	}
}

// joinSets finds out which set each navigation property leads to.
func (p *parser) joinSets() {
	byAssociation := map[string][]*assocSet{}
	for _, s := range p.assocSets {
		name := p.qualified(s.association)
		byAssociation[name] = append(byAssociation[name], s)
	}
	for _, s := range p.m.Sets {
		for path, target := range s.Bindings {
			if i := strings.LastIndexByte(target, '/'); i >= 0 {
				s.Bindings[path] = target[i+1:]
			}
		}
		for _, nav := range s.Type.Navs {
			for _, as := range byAssociation[p.qualified(nav.association)] {
				for i := range as.roles {
					if as.roles[i] == nav.toRole && as.sets[1-i] == s.Name {
						s.Bindings[nav.Name] = as.sets[i]
					}
				}
			}
			if s.Bindings[nav.Name] == "" {
				s.Bindings[nav.Name] = p.onlySet(nav.Target)
			}
		}
	}
}

// onlySet is the one set of a type, "" if there is none or more than one.
func (p *parser) onlySet(typeName string) string {
	found := ""
	for name, s := range p.m.Sets {
		if s.Type.QualifiedName() == typeName {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// joinOperations makes what can be called of the operations of v4.
func (p *parser) joinOperations() {
	for _, op := range p.m.Operations {
		p.resolveOperation(op)
	}
	for _, imported := range p.imports {
		for _, op := range p.operations[p.qualified(imported.operation)] {
			if op.Bound {
				continue
			}
			own := *op
			own.Name = imported.name
			p.m.Operations = append(p.m.Operations, &own)
			p.resolveOperation(&own)
		}
	}
	for _, overloads := range p.operations {
		for _, op := range overloads {
			if op.Bound {
				p.m.Operations = append(p.m.Operations, op)
				p.resolveOperation(op)
			}
		}
	}
}

func (p *parser) resolveOperation(op *Operation) {
	op.Returns, op.BoundTo = p.qualified(op.Returns), p.qualified(op.BoundTo)
	for _, param := range op.Params {
		param.Type = p.qualified(param.Type)
	}
}

// annotate applies the annotations of v4.
func (p *parser) annotate() {
	for target, list := range p.annotations {
		if name, ok := strings.CutPrefix(target, "\x00set/"); ok {
			p.annotateSet(p.m.Sets[name], list)
			continue
		}
		owner, member, hasMember := strings.Cut(target, "/")
		if t := p.m.Types[p.qualified(owner)]; t != nil {
			p.annotateType(t, member, hasMember, list)
			continue
		}
		if hasMember {
			// A container's member: "NS.Container/Set".
			p.annotateSet(p.m.Sets[member], list)
		}
	}
}

func (p *parser) annotateType(t *Type, member string, hasMember bool, list []annotation) {
	for _, a := range list {
		term := a.term[strings.LastIndexByte(a.term, '.')+1:]
		if !hasMember {
			if term == "Label" {
				t.Label = a.value
			}
			continue
		}
		if nav := t.navs[member]; nav != nil && term == "Label" {
			nav.Label = a.value
		}
		if prop := t.props[member]; prop != nil {
			prop.annotate(t, term, a)
		}
	}
}

func (prop *Property) annotate(t *Type, term string, a annotation) {
	on := a.value != "false"
	switch term {
	case "Label":
		prop.Label = a.value
	case "QuickInfo", "Description":
		if a.value != prop.Label {
			prop.Help = a.value
		}
	case "Text":
		prop.Text = a.value
	case "Computed":
		prop.Computed = on
	case "Immutable":
		prop.Immutable = on
	case "ComputedDefaultValue":
		prop.HasDefault = prop.HasDefault || on
	case "FieldControl":
		switch a.value[strings.LastIndexByte(a.value, '/')+1:] {
		case "Mandatory":
			prop.Mandatory = true
		case "ReadOnly":
			prop.Computed = true
		}
	case "ISOCurrency":
		prop.Unit, prop.Currency = a.value, true
		if unit := t.props[a.value]; unit != nil && unit.Semantics == "" {
			unit.Semantics = "currency-code"
		}
	case "Unit":
		prop.Unit = a.value
	case "IsCurrency":
		prop.Semantics = "currency-code"
	}
}

func (p *parser) annotateSet(s *Set, list []annotation) {
	if s == nil {
		return
	}
	for _, a := range list {
		no := func(field string) bool { return a.fields[field] == "false" }
		names := func(field string) map[string]bool {
			set := map[string]bool{}
			for _, path := range a.lists[field] {
				set[path] = true
			}
			return set
		}
		switch a.term[strings.LastIndexByte(a.term, '.')+1:] {
		case "InsertRestrictions":
			s.NoCreate = s.NoCreate || no("Insertable")
			s.NoCreateProps = names("NonInsertableProperties")
		case "UpdateRestrictions":
			s.NoUpdate = s.NoUpdate || no("Updatable")
			s.NoUpdateProps = names("NonUpdatableProperties")
		case "DeleteRestrictions":
			s.NoDelete = s.NoDelete || no("Deletable")
		case "FilterRestrictions":
			s.MustFilter = s.MustFilter || a.fields["RequiresFilter"] == "true"
			s.NoFilter = names("NonFilterableProperties")
			s.MustFilterProps = names("RequiredProperties")
		case "SortRestrictions":
			s.NoSort = names("NonSortableProperties")
			if no("Sortable") {
				for _, prop := range s.Type.Props {
					s.NoSort[prop.Name] = true
				}
			}
		case "CountRestrictions":
			s.NoCount = s.NoCount || no("Countable")
		case "ReadRestrictions":
			s.NoRead = s.NoRead || no("Readable")
		case "TopSupported", "SkipSupported":
			s.NoPage = s.NoPage || a.value == "false"
		case "OptimisticConcurrency":
			s.HasETag = true
		case "Label":
			s.Label = a.value
		}
	}
}
