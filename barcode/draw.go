package barcode

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"strings"

	boombuler "github.com/boombuler/barcode"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/datamatrix"
	"github.com/boombuler/barcode/ean"
	"github.com/boombuler/barcode/qr"
)

// Symbology is how a code is drawn.
type Symbology string

// The symbologies that can be drawn.
const (
	Auto       Symbology = ""           // EAN for an EAN or UPC, GS1-128 for GS1 elements, else Code 128
	DrawEAN    Symbology = "ean"        // EAN-13, EAN-8 and UPC-A
	Code128    Symbology = "code128"    // any text of ASCII
	GS1128     Symbology = "gs1-128"    // GS1 elements
	QR         Symbology = "qr"         // any text
	DataMatrix Symbology = "datamatrix" // any text of ASCII
)

// Symbologies are all but Auto.
var Symbologies = []Symbology{DrawEAN, Code128, GS1128, QR, DataMatrix}

// Picture is a code as black and white modules, one pixel each.
type Picture struct {
	code boombuler.Barcode
	flat bool   // one line of bars
	Text string // for people
}

// Draw encodes a text. A text that the symbology can't hold is an error that
// says why.
func Draw(text string, s Symbology) (*Picture, error) {
	c, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if s == Auto {
		switch c.Kind {
		case EAN13, EAN8, UPCA:
			s = DrawEAN
		case GS1:
			s = GS1128
		default:
			s = Code128
		}
	}
	p := &Picture{Text: c.Text, flat: true}
	switch s {
	case DrawEAN:
		number := c.Text
		if c.Kind == UPCA {
			number = "0" + number
		}
		if c.Kind != EAN13 && c.Kind != EAN8 && c.Kind != UPCA {
			reason := c.Problem
			if reason == "" {
				reason = "it has 8, 12 or 13 digits"
			}
			return nil, fmt.Errorf("%q is no EAN or UPC: %s", clip(c.Text), reason)
		}
		p.code, err = ean.Encode(number)
	case Code128:
		if err := ascii(c.Text, 80); err != nil {
			return nil, err
		}
		p.code, err = code128.Encode(c.Text)
	case GS1128:
		if c.Kind != GS1 {
			return nil, fmt.Errorf("%q has no GS1 elements; write them like (01)09506000134352(10)ABC", clip(c.Text))
		}
		p.Text = bracketed(c.Elements)
		data := joined(c.Elements)
		if err := ascii(strings.ReplaceAll(data, string(code128.FNC1), ""), 80); err != nil {
			return nil, err
		}
		p.code, err = code128.Encode(data)
	case QR:
		p.flat = false
		p.code, err = qr.Encode(c.Text, qr.M, qr.Unicode)
	case DataMatrix:
		p.flat = false
		if err := ascii(c.Text, 1500); err != nil {
			return nil, err
		}
		p.code, err = datamatrix.Encode(c.Text)
	default:
		return nil, fmt.Errorf("%q is no symbology that can be drawn; there are %s", clip(string(s)), names())
	}
	if err != nil {
		return nil, fmt.Errorf("%q can't be drawn as %s: the text is too long or holds characters that it lacks", clip(c.Text), s)
	}
	return p, nil
}

func names() string {
	var b strings.Builder
	for i, s := range Symbologies {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String()
}

func ascii(text string, most int) error {
	for i, r := range text {
		if r > 0x7e || r < ' ' {
			return fmt.Errorf("the character %q at place %d can't be drawn in this symbology; use qr", r, i+1)
		}
	}
	if len(text) > most {
		return fmt.Errorf("the text has %d characters; this symbology holds at most %d", len(text), most)
	}
	return nil
}

// joined is the data of a GS1-128: FNC1 at the start and after each element
// without a fixed length, but for the last.
func joined(elements []Element) string {
	var b strings.Builder
	b.WriteRune(code128.FNC1)
	for i, e := range elements {
		b.WriteString(e.AI)
		b.WriteString(e.Value)
		if _, isFixed := fixed[e.AI[:2]]; !isFixed && i < len(elements)-1 {
			b.WriteRune(code128.FNC1)
		}
	}
	return b.String()
}

func bracketed(elements []Element) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteString("(" + e.AI + ")" + e.Value)
	}
	return b.String()
}

// Bounds of what is drawn.
const (
	MaxScale  = 20
	MaxHeight = 1000
)

// Size says how large to draw.
type Size struct {
	Scale  int // pixels of a module; 0 for 3 (bars) or 6 (squares), MaxScale at most
	Height int // pixels of bars; 0 for 90; of no meaning for squares
}

func (p *Picture) size(s Size) (Size, error) {
	if s.Scale == 0 {
		if s.Scale = 6; p.flat {
			s.Scale = 3
		}
	}
	if s.Height == 0 {
		s.Height = 90
	}
	if s.Scale < 1 || s.Scale > MaxScale {
		return s, fmt.Errorf("scale must be between 1 and %d", MaxScale)
	}
	if s.Height < 10 || s.Height > MaxHeight {
		return s, fmt.Errorf("height must be between 10 and %d", MaxHeight)
	}
	return s, nil
}

// quiet is the white around a code, in modules, that scanners need.
func (p *Picture) quiet() int {
	if p.flat {
		return 10
	}
	return 4
}

// PNG writes the code as a black and white picture.
func (p *Picture) PNG(w io.Writer, size Size) error {
	size, err := p.size(size)
	if err != nil {
		return err
	}
	b, q := p.code.Bounds(), p.quiet()
	width, height := (b.Dx()+2*q)*size.Scale, size.Height
	if !p.flat {
		height = (b.Dy() + 2*q) * size.Scale
	}
	img := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.White, color.Black})
	p.bars(func(x, y, w int) {
		r := image.Rect((x+q)*size.Scale, 0, (x+q+w)*size.Scale, height)
		if !p.flat {
			r.Min.Y, r.Max.Y = (y+q)*size.Scale, (y+q+1)*size.Scale
		}
		draw.Draw(img, r, image.Black, image.Point{}, draw.Src)
	})
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, img)
}

// SVG writes the code as a picture for print, with its text under bars.
func (p *Picture) SVG(w io.Writer, size Size) error {
	size, err := p.size(size)
	if err != nil {
		return err
	}
	const textHeight = 16
	b, q := p.code.Bounds(), p.quiet()
	width, height := (b.Dx()+2*q)*size.Scale, size.Height+textHeight
	if !p.flat {
		height = (b.Dy() + 2*q) * size.Scale
	}
	out := bufio.NewWriter(w)
	_, _ = fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" shape-rendering="crispEdges">`, width, height, width, height)
	_, _ = fmt.Fprintf(out, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, width, height)
	p.bars(func(x, y, w int) {
		top, tall := 0, size.Height
		if !p.flat {
			top, tall = (y+q)*size.Scale, size.Scale
		}
		_, _ = fmt.Fprintf(out, "M%d %dh%dv%dh-%dz", (x+q)*size.Scale, top, w*size.Scale, tall, w*size.Scale)
	})
	_, _ = out.WriteString(`"/>`)
	if p.flat {
		_, _ = fmt.Fprintf(out, `<text x="%d" y="%d" font-family="monospace" font-size="13" text-anchor="middle">%s</text>`, width/2, size.Height+13, escape(p.Text))
	}
	_, _ = out.WriteString("</svg>\n")
	return out.Flush()
}

// bars calls f with each run of black modules: where it begins, and how many
// there are.
func (p *Picture) bars(f func(x, y, w int)) {
	b := p.code.Bounds()
	for y := range b.Dy() {
		start := -1
		for x := range b.Dx() + 1 {
			black := x < b.Dx() && isBlack(p.code.At(b.Min.X+x, b.Min.Y+y))
			switch {
			case black && start < 0:
				start = x
			case !black && start >= 0:
				f(start, y, x-start)
				start = -1
			}
		}
	}
}

func isBlack(c color.Color) bool {
	g, _, _, _ := c.RGBA()
	return g < 0x8000
}

func escape(s string) string {
	var b bytes.Buffer
	for _, r := range s {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '"':
			b.WriteString("&quot;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
