package bridge

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/barcode"
)

// Scanned is what a barcode leads to.
type Scanned struct {
	Code      barcode.Code `json:"code"`
	Product   *Product     `json:"product,omitempty"`
	Packaging *Packaging   `json:"packaging,omitempty"` // the code was a packaging's, of the product
	Lot       *adapter.Ref `json:"lot,omitempty"`       // a lot or serial number, of the product
	Location  *adapter.Ref `json:"location,omitempty"`  // the code was a location's
	Quantity  json.Number  `json:"quantity,omitempty"`  // how many units of the product the code stands for, where it says
}

// Product is a product in the words of all systems.
type Product struct {
	ID       adapter.ID   `json:"id"`
	Name     string       `json:"name"`
	Code     string       `json:"code,omitempty"` // the company's own reference
	Barcode  string       `json:"barcode"`
	Price    *json.Number `json:"price"`
	Quantity *json.Number `json:"quantity"` // on hand; null where the system keeps no stock
	Unit     string       `json:"unit,omitempty"`
}

// Packaging is several units of a product under a barcode of their own.
type Packaging struct {
	ID       adapter.ID  `json:"id"`
	Name     string      `json:"name"`
	Quantity json.Number `json:"quantity,omitempty"` // units in it
}

// FindBarcode looks up what a scanned code stands for: a product, a packaging,
// a lot or serial number, or a location. GS1 codes are taken apart, and a
// product's number is found with and without the zeros before it. Nothing
// found is ErrNotFound. It is for Odoo; products of other systems are found in
// universal words.
func (s *System) FindBarcode(ctx context.Context, text string) (*Scanned, error) {
	code, err := barcode.Parse(text)
	if err != nil {
		return nil, wrong("barcode", "%s", err)
	}
	if s.Kind() != "odoo" {
		return nil, adapter.Errorf(adapter.Unsupported, "barcodes are looked up in Odoo systems; system %q is of kind %s", s.ID(), s.Kind())
	}
	scan := &scan{System: s, out: &Scanned{Code: code}, variants: code.Variants()}
	if n := code.Get("30"); n != "" {
		scan.out.Quantity = count(n)
	}
	if n := code.Get("37"); n != "" {
		scan.out.Quantity = count(n)
	}
	for _, look := range []func(context.Context) (bool, error){scan.product, scan.packaging, scan.lot, scan.location, scan.piece} {
		found, err := look(ctx)
		if err != nil {
			return nil, err
		}
		if found {
			return scan.out, scan.lotOf(ctx)
		}
	}
	message := "no product has the barcode " + strconv.Quote(clipped(code.Text))
	if code.Problem != "" {
		message += " (" + code.Problem + ")"
	}
	return nil, &adapter.Error{Code: adapter.NotFound, Field: "barcode", Message: message}
}

// count is a number without the zeros before it.
func count(digits string) json.Number {
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		digits = "0"
	}
	return json.Number(digits)
}

func clipped(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// scan is one lookup under way.
type scan struct {
	*System

	out      *Scanned
	variants []string
}

const (
	productModel  = "product.product"
	barcodeField  = "barcode"
	locationModel = "stock.location"
)

var productFields = []string{"name", barcodeField, "default_code", "lst_price", "qty_available", "uom_id"}

// some reads the records whose field is one of the values, those of earlier
// values first. A model that the system has not holds none.
func (s *scan) some(ctx context.Context, model, field string, values, fields []string) ([]adapter.Record, error) {
	if len(values) == 0 {
		return nil, nil
	}
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	a, err := s.Read(ctx, Reading{Query: adapter.Query{
		Model: model, Fields: fields, Limit: 10, Filter: adapter.Cond{Field: field, Op: adapter.In, Value: list}, Order: []adapter.Order{{Field: "id"}},
	}})
	switch adapter.CodeOf(err) {
	case "":
	case adapter.NotFound:
		return nil, nil
	default:
		return nil, err
	}
	records, err := a.Records()
	slices.SortStableFunc(records, func(x, y adapter.Record) int {
		return slices.Index(values, x.String(field)) - slices.Index(values, y.String(field))
	})
	return records, err
}

func (s *scan) product(ctx context.Context) (bool, error) { return s.productBy(ctx, s.variants) }

// piece takes a carton whose number nothing has for its pieces.
func (s *scan) piece(ctx context.Context) (bool, error) {
	if number := s.out.Code.Piece(); number != "" {
		return s.productBy(ctx, []string{number})
	}
	return false, nil
}

func (s *scan) productBy(ctx context.Context, numbers []string) (bool, error) {
	found, err := s.some(ctx, productModel, barcodeField, numbers, productFields)
	if err != nil || len(found) == 0 {
		return false, err
	}
	s.out.Product = productOf(found[0])
	return true, nil
}

func productOf(r adapter.Record) *Product {
	p := &Product{ID: r.ID(), Name: r.String("name"), Code: r.String("default_code"), Barcode: r.String(barcodeField), Unit: r.String("uom_id")}
	p.Price, p.Quantity = numberOf(r["lst_price"]), numberOf(r["qty_available"])
	return p
}

func numberOf(v any) *json.Number {
	if n, ok := v.(json.Number); ok {
		return &n
	}
	return nil
}

// byID fills in the product that a packaging or a lot belongs to.
func (s *scan) byID(ctx context.Context, id adapter.ID) error {
	a, err := s.Read(ctx, Reading{Query: adapter.Query{Model: productModel, Fields: productFields, Limit: 1, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: id.Value()}}})
	if err != nil {
		return err
	}
	records, err := a.Records()
	if err == nil && len(records) > 0 {
		s.out.Product = productOf(records[0])
	}
	return err
}

// packaging looks among packagings, which are units with a barcode of their own
// from 19.0 on.
func (s *scan) packaging(ctx context.Context) (bool, error) {
	version, err := s.systemVersion(ctx)
	if err != nil {
		return false, err
	}
	model, fields := "product.packaging", []string{"name", "qty", "product_id", barcodeField}
	units := version >= "19"
	if units {
		model, fields = "product.uom", []string{"uom_id", "product_id", barcodeField}
	}
	found, err := s.plainly().some(ctx, model, barcodeField, s.variants, fields)
	if err != nil || len(found) == 0 {
		return false, err
	}
	r := found[0]
	p := &Packaging{ID: r.ID(), Name: r.String("name")}
	if n := numberOf(r["qty"]); n != nil {
		p.Quantity = *n
	}
	if units {
		p.Name = r.String("uom_id")
		if unit, ok := r.Ref("uom_id"); ok {
			if p.Quantity, err = s.unitFactor(ctx, unit.ID); err != nil {
				return false, err
			}
		}
	}
	s.out.Packaging = p
	if s.out.Quantity == "" {
		s.out.Quantity = p.Quantity
	}
	if ref, ok := r.Ref("product_id"); ok {
		return true, s.byID(ctx, ref.ID)
	}
	return true, nil
}

// unitFactor is how many of the reference unit a unit holds (19.0).
func (s *scan) unitFactor(ctx context.Context, id adapter.ID) (json.Number, error) {
	a, err := s.Read(ctx, Reading{Query: adapter.Query{Model: "uom.uom", Fields: []string{"factor"}, Limit: 1, Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: id.Value()}}})
	if err != nil {
		return "", err
	}
	records, err := a.Records()
	if err != nil || len(records) == 0 {
		return "", err
	}
	if n := numberOf(records[0]["factor"]); n != nil {
		return *n, nil
	}
	return "", nil
}

// plainly is the scan in the system's own version: packagings have no
// counterpart in others.
func (s *scan) plainly() *scan {
	if s.pin == nil {
		return s
	}
	own, err := s.As("")
	if err != nil {
		return s
	}
	clone := *s
	clone.System = own
	return &clone
}

// lotNames are the numbers in the code that may be a lot's or a serial number.
func (s *scan) lotNames() []string {
	c := &s.out.Code
	if c.Kind != barcode.GS1 {
		return []string{c.Text}
	}
	var names []string
	for _, ai := range [...]string{"21", "10"} {
		if v := c.Get(ai); v != "" {
			names = append(names, v)
		}
	}
	return names
}

func (s *scan) lots(ctx context.Context) ([]adapter.Record, error) {
	version, err := s.systemVersion(ctx)
	if err != nil {
		return nil, err
	}
	model := "stock.lot"
	if version < "16" {
		model = "stock.production.lot"
	}
	return s.plainly().some(ctx, model, "name", s.lotNames(), []string{"name", "product_id"})
}

func (s *scan) lot(ctx context.Context) (bool, error) {
	found, err := s.lots(ctx)
	if err != nil || len(found) == 0 {
		return false, err
	}
	s.out.Lot = &adapter.Ref{ID: found[0].ID(), Name: found[0].String("name")}
	if ref, ok := found[0].Ref("product_id"); ok {
		return true, s.byID(ctx, ref.ID)
	}
	return true, nil
}

// lotOf finds the lot that a GS1 code names beside its product.
func (s *scan) lotOf(ctx context.Context) error {
	if s.out.Lot != nil || s.out.Product == nil || s.out.Code.Kind != barcode.GS1 {
		return nil
	}
	found, err := s.lots(ctx)
	if err != nil {
		return err
	}
	for _, r := range found {
		if ref, ok := r.Ref("product_id"); ok && ref.ID == s.out.Product.ID {
			s.out.Lot = &adapter.Ref{ID: r.ID(), Name: r.String("name")}
			return nil
		}
	}
	return nil
}

func (s *scan) location(ctx context.Context) (bool, error) {
	found, err := s.some(ctx, locationModel, barcodeField, []string{s.out.Code.Text}, []string{"complete_name", barcodeField})
	if err != nil || len(found) == 0 {
		return false, err
	}
	s.out.Location = &adapter.Ref{ID: found[0].ID(), Name: found[0].String("complete_name")}
	return true, nil
}

// FindProducts finds products by a part of their name, reference or barcode.
func (s *System) FindProducts(ctx context.Context, text string, limit int) ([]Product, error) {
	if strings.TrimSpace(text) == "" {
		return nil, wrong("q", "is missing: a part of the name, the reference or the barcode")
	}
	if s.Kind() != "odoo" {
		return nil, adapter.Errorf(adapter.Unsupported, "products are searched in Odoo systems; system %q is of kind %s", s.ID(), s.Kind())
	}
	like := func(field string) adapter.Filter { return adapter.Cond{Field: field, Op: adapter.ILike, Value: text} }
	a, err := s.Read(ctx, Reading{Query: adapter.Query{
		Model: productModel, Fields: productFields, Limit: limit,
		Filter: adapter.Or{like("name"), like("default_code"), like(barcodeField)}, Order: []adapter.Order{{Field: "name"}, {Field: "id"}},
	}})
	if err != nil {
		return nil, err
	}
	records, err := a.Records()
	products := make([]Product, len(records))
	for i, r := range records {
		products[i] = *productOf(r)
	}
	return products, err
}
