package edmx

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The bounds of a document. They are far above what SAP publishes.
const (
	maxDepth    = 64
	maxElements = 5_000_000
	maxKept     = 500_000 // types, properties, navigations, sets and parameters
)

// ErrNoMetadata is the error for a document that is XML, but no metadata.
var ErrNoMetadata = errors.New("edmx: the document is no OData metadata")

// Parse reads a metadata document.
func Parse(r io.Reader) (*Metadata, error) {
	dec := xml.NewDecoder(r)
	dec.Strict = true
	// No entities but XML's own, so that none can be blown up.
	dec.Entity = map[string]string{}
	dec.CharsetReader = charset
	p := &parser{
		dec: dec, names: map[string]string{}, aliases: map[string]string{},
		assocs: map[string]*association{}, operations: map[string][]*Operation{},
		annotations: map[string][]annotation{},
		m: &Metadata{
			Sets: map[string]*Set{}, Singletons: map[string]*Set{},
			Types: map[string]*Type{}, Enums: map[string]*Enum{},
		},
	}
	if err := p.run(); err != nil {
		if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
			return nil, fmt.Errorf("edmx: line %d: %s", syntax.Line, syntax.Msg)
		}
		return nil, err
	}
	return p.finish()
}

// charset reads the encodings that are a part of UTF-8, and refuses others.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return r, nil
	}
	return nil, fmt.Errorf("edmx: encoding %q is not UTF-8", label)
}

// association is an association of v2.
type association struct {
	ends        [2]end
	n           int
	principal   constraintEnd
	dependent   constraintEnd
	inPrincipal bool
}

type end struct {
	role, typ string
	many      bool
}

type constraintEnd struct {
	role  string
	props []string
}

// assocSet tells which sets an association joins.
type assocSet struct {
	association string
	roles, sets [2]string
	n           int
}

type parser struct {
	dec      *xml.Decoder
	m        *Metadata
	names    map[string]string // strings that are the same are kept once
	aliases  map[string]string
	elements int
	kept     int
	seenRoot bool

	namespace string
	typ       *Type
	nav       *Navigation
	inKey     bool
	enum      *Enum
	op        *Operation
	assoc     *association
	assocSet  *assocSet
	assocSets []*assocSet
	set       *Set
	imports   []operationImport

	assocs      map[string]*association
	operations  map[string][]*Operation // v4, by qualified name
	annotations map[string][]annotation // v4, by target
	prop        *Property
	open        []string // the elements that are open
}

type operationImport struct{ name, operation string }

func (p *parser) run() error {
	depth := 0
	for {
		// RawToken: no namespaces are needed, and no maps of them are kept.
		token, err := p.dec.RawToken()
		if errors.Is(err, io.EOF) {
			switch {
			case depth != 0:
				return errors.New("edmx: the document ends in the midst: it was cut off")
			case !p.seenRoot:
				return ErrNoMetadata
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if p.elements++; p.elements > maxElements {
				return errors.New("edmx: the document has too many elements")
			}
			if !p.seenRoot {
				if t.Name.Local != "Edmx" {
					return ErrNoMetadata
				}
				p.seenRoot = true
			}
			skipped, err := p.start(t)
			if err != nil {
				return err
			}
			if skipped {
				continue
			}
			if depth++; depth > maxDepth {
				return errors.New("edmx: the document is nested too deep")
			}
			p.open = append(p.open[:depth-1], t.Name.Local)
		case xml.EndElement:
			if depth == 0 || p.open[depth-1] != t.Name.Local {
				line, _ := p.dec.InputPos()
				return fmt.Errorf("edmx: line %d: element <%s> is closed where it is not open", line, t.Name.Local)
			}
			depth--
			p.end(t.Name.Local)
		case xml.Directive:
			if strings.HasPrefix(string(t), "DOCTYPE") {
				return errors.New("edmx: the document has a DOCTYPE, which metadata never has")
			}
		}
	}
}
