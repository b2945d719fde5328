package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/barcode"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
)

type barcodeInput struct {
	Barcode  string `query:"barcode" required:"true" maxLength:"4096" doc:"What was scanned: an EAN, UPC or GTIN, GS1 elements with or without brackets, a GS1 Digital Link, or a text of your own" example:"6281000000123"`
	SystemID string `query:"system_id" required:"true" maxLength:"255" doc:"The system" example:"odoo_main"`
}

// LookupOutput is what a code was found to be. It is exported because huma looks
// into exported embedded structs alone.
type LookupOutput struct {
	Success bool            `json:"success" doc:"Always true"`
	Product *bridge.Product `json:"product" doc:"The product; null where the code is a location's"`
	Found   foundBarcode    `json:"found" doc:"What else the code says"`
	Code    barcode.Code    `json:"code" doc:"The code taken apart"`
}

type foundBarcode struct {
	Packaging *bridge.Packaging `json:"packaging,omitempty" doc:"The packaging whose code it is"`
	Lot       *adapter.Ref      `json:"lot,omitempty" doc:"The lot or serial number"`
	Location  *adapter.Ref      `json:"location,omitempty" doc:"The location whose code it is"`
	Quantity  any               `json:"quantity,omitempty" doc:"How many units the code stands for, where it says"`
}

type scanInput struct {
	Body struct {
		Barcode  string  `json:"barcode" minLength:"1" maxLength:"4096" doc:"What was scanned" example:"6281000000123"`
		SystemID string  `json:"system_id" minLength:"1" maxLength:"255" doc:"The system" example:"odoo_main"`
		Action   string  `json:"action,omitempty" enum:"lookup,inventory_check" doc:"lookup, the default, or inventory_check: tell whether so many are in stock"`
		Quantity float64 `json:"quantity,omitempty" minimum:"0" doc:"inventory_check: how many are wanted; as many as the code stands for, or 1, unless given"`
	}
}

type scanOutput struct {
	LookupOutput
	Action       string   `json:"action" example:"inventory_check"`
	AvailableQty *float64 `json:"available_qty,omitempty" doc:"inventory_check: units on hand"`
	InStock      *bool    `json:"in_stock,omitempty" doc:"inventory_check: whether that is enough"`
}

type productSearchInput struct {
	Q        string `query:"q" required:"true" minLength:"1" maxLength:"255" doc:"A part of the name, the reference or the barcode" example:"chair"`
	SystemID string `query:"system_id" required:"true" maxLength:"255" doc:"The system" example:"odoo_main"`
	Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"At most this many"`
}

type productSearchOutput struct {
	Success  bool             `json:"success"`
	Count    int              `json:"count" example:"1"`
	Products []bridge.Product `json:"products" nullable:"false"`
}

type drawInput struct {
	Text      string `query:"text" required:"true" minLength:"1" maxLength:"2000" doc:"What the barcode says" example:"6281000000120"`
	Symbology string `query:"symbology" enum:"ean,code128,gs1-128,qr,datamatrix" doc:"How it is drawn; unless given ean for an EAN or UPC, gs1-128 for GS1 elements such as (01)09506000134352(10)ABC, else code128"`
	Format    string `query:"format" enum:"png,svg" default:"png" doc:"The kind of picture"`
	Scale     int    `query:"scale" minimum:"1" maximum:"20" doc:"Pixels of the thinnest bar, or of a square"`
	Height    int    `query:"height" minimum:"10" maximum:"1000" doc:"Pixels of the bars"`
}

type picture struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (a *API) registerBarcode() {
	const tag = "Barcodes"
	failures := []int{403, 404, 422, 429, 501, 502, 503, 504}
	register(a, route{
		id: "lookupBarcode", method: http.MethodGet, path: "/api/v1/barcode/lookup", tag: tag, class: limit.Read,
		summary: "What is this barcode",
		description: "Looks for a product, a packaging, a lot or serial number, a location, in this order. A UPC-A is found as the EAN-13 that it is, " +
			"and the other way round; a GS1 code by its product's number, with lot, expiry and quantity. 404 says what is wrong with the code, such as its check digit.",
		errors: failures,
	}, func(ctx context.Context, in *barcodeInput) (*body[LookupOutput], error) {
		out, err := a.lookup(ctx, in.SystemID, in.Barcode)
		if err != nil {
			return nil, err
		}
		return &body[LookupOutput]{*out}, nil
	})
	register(a, route{
		id: "scanBarcode", method: http.MethodPost, path: "/api/v1/barcode/scan", tag: tag, class: limit.Read, reads: true,
		summary: "Look a barcode up, or check the stock behind it", description: "As lookup; inventory_check also says whether enough is in stock.",
		errors: append(failures, 400, 413, 415),
	}, func(ctx context.Context, in *scanInput) (*body[scanOutput], error) {
		got, err := a.lookup(ctx, in.Body.SystemID, in.Body.Barcode)
		if err != nil {
			return nil, err
		}
		out := scanOutput{LookupOutput: *got, Action: in.Body.Action}
		if out.Action == "" {
			out.Action = "lookup"
		}
		if out.Action == "inventory_check" && out.Product != nil && out.Product.Quantity != nil {
			on, err := out.Product.Quantity.Float64()
			if err != nil {
				return nil, err
			}
			enough := on >= wanted(in.Body.Quantity, got)
			out.AvailableQty, out.InStock = &on, &enough
		}
		return &body[scanOutput]{out}, nil
	})
	register(a, route{
		id: "searchProducts", method: http.MethodGet, path: "/api/v1/barcode/search", tag: tag, class: limit.Read,
		summary: "Find products", description: "By a part of the name, the reference or the barcode.", errors: failures,
	}, func(ctx context.Context, in *productSearchInput) (*body[productSearchOutput], error) {
		sys, err := a.translated(ctx, in.SystemID)
		if err != nil {
			return nil, err
		}
		found, err := sys.FindProducts(ctx, in.Q, in.Limit)
		if err != nil {
			return nil, err
		}
		return &body[productSearchOutput]{productSearchOutput{true, len(found), found}}, nil
	})
	op := a.operation(route{
		id: "drawBarcode", method: http.MethodGet, path: "/api/v1/barcode/image", tag: tag, class: limit.Read,
		summary: "Draw a barcode", description: "As a picture for a label.", errors: []int{422},
	})
	op.Responses = map[string]*huma.Response{"200": {Description: "The picture", Content: map[string]*huma.MediaType{"image/png": {}, "image/svg+xml": {}}}}
	huma.Register(a.huma, op, saying(func(_ context.Context, in *drawInput) (*picture, error) { return drawn(in) }))
}

// wanted is how many units an inventory check is about.
func wanted(given float64, got *LookupOutput) float64 {
	if given > 0 {
		return given
	}
	if n, ok := got.Found.Quantity.(interface{ Float64() (float64, error) }); ok {
		if f, err := n.Float64(); err == nil && f > 0 {
			return f
		}
	}
	return 1
}

func (a *API) lookup(ctx context.Context, systemID, text string) (*LookupOutput, error) {
	sys, err := a.translated(ctx, systemID)
	if err != nil {
		return nil, err
	}
	got, err := sys.FindBarcode(ctx, text)
	if err != nil {
		return nil, err
	}
	out := &LookupOutput{Success: true, Product: got.Product, Code: got.Code, Found: foundBarcode{Packaging: got.Packaging, Lot: got.Lot, Location: got.Location}}
	if got.Quantity != "" {
		out.Found.Quantity = got.Quantity
	}
	return out, nil
}

func drawn(in *drawInput) (*picture, error) {
	p, err := barcode.Draw(in.Text, barcode.Symbology(in.Symbology))
	if err != nil {
		return nil, invalid("text", "%s", err)
	}
	var b bytes.Buffer
	size := barcode.Size{Scale: in.Scale, Height: in.Height}
	kind := "image/png"
	if in.Format == "svg" {
		kind = "image/svg+xml"
		err = p.SVG(&b, size)
	} else {
		err = p.PNG(&b, size)
	}
	if err != nil {
		return nil, invalid("scale", "%s", strings.TrimPrefix(err.Error(), "scale "))
	}
	return &picture{kind, "private, max-age=86400", b.Bytes()}, nil
}
