package visual

// form is how an Arabic letter looks alone, after a letter that joins, before
// one, and between two. Letters that join nothing after them have no initial
// and no medial form.
type form struct{ isolated, final, initial, medial rune }

// forms are the presentation forms of Unicode (FB50 to FDFF, FE70 to FEFF) for
// Arabic and Persian.
var forms = map[rune]form{}

func init() {
	// In the Unicode block the forms of a letter follow each other.
	next := rune(0xfe80)
	for _, l := range []struct {
		letter rune
		count  rune
	}{
		{0x0621, 1}, {0x0622, 2}, {0x0623, 2}, {0x0624, 2}, {0x0625, 2}, {0x0626, 4}, {0x0627, 2}, {0x0628, 4}, {0x0629, 2},
		{0x062a, 4}, {0x062b, 4}, {0x062c, 4}, {0x062d, 4}, {0x062e, 4}, {0x062f, 2}, {0x0630, 2}, {0x0631, 2}, {0x0632, 2},
		{0x0633, 4}, {0x0634, 4}, {0x0635, 4}, {0x0636, 4}, {0x0637, 4}, {0x0638, 4}, {0x0639, 4}, {0x063a, 4}, {0x0641, 4},
		{0x0642, 4}, {0x0643, 4}, {0x0644, 4}, {0x0645, 4}, {0x0646, 4}, {0x0647, 4}, {0x0648, 2}, {0x0649, 2}, {0x064a, 4},
	} {
		f := form{isolated: next}
		if l.count > 1 {
			f.final = next + 1
		}
		if l.count == 4 {
			f.initial, f.medial = next+2, next+3
		}
		forms[l.letter] = f
		next += l.count
	}
	forms['پ'] = form{0xfb56, 0xfb57, 0xfb58, 0xfb59}
	forms['چ'] = form{0xfb7a, 0xfb7b, 0xfb7c, 0xfb7d}
	forms['ژ'] = form{0xfb8a, 0xfb8b, 0, 0}
	forms['ک'] = form{0xfb8e, 0xfb8f, 0xfb90, 0xfb91}
	forms['گ'] = form{0xfb92, 0xfb93, 0xfb94, 0xfb95}
	forms['ی'] = form{0xfbfc, 0xfbfd, 0xfbfe, 0xfbff}
}

const (
	lam     = 0x0644
	tatweel = 0x0640
	zwj     = 0x200d
	zwnj    = 0x200c
)

// lamAlef are the ligatures of lam with an alef: alone, and after a letter that
// joins.
var lamAlef = map[rune]form{
	0x0622: {isolated: 0xfef5, final: 0xfef6},
	0x0623: {isolated: 0xfef7, final: 0xfef8},
	0x0625: {isolated: 0xfef9, final: 0xfefa},
	0x0627: {isolated: 0xfefb, final: 0xfefc},
}

// joinsNext reports whether a letter joins the one after it.
func joinsNext(r rune) bool {
	return forms[r].initial != 0 || r == tatweel || r == zwj
}

// joinsPrevious reports whether a letter joins the one before it.
func joinsPrevious(r rune) bool {
	return forms[r].final != 0 || r == tatweel || r == zwj
}

// shape gives Arabic letters the form that their neighbours ask for. Marks
// between letters don't part them.
func shape(runes []rune) []rune {
	out := make([]rune, 0, len(runes))
	joined := false // whether the letter before joins this one
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case isMark(r):
			out = append(out, r)
			continue
		case r == zwnj, r == zwj:
			joined = r == zwj
			continue
		}
		f, known := forms[r]
		if !known {
			out = append(out, r)
			joined = r == tatweel
			continue
		}
		at := i + 1
		for at < len(runes) && isMark(runes[at]) {
			at++
		}
		before := joined && joinsPrevious(r)
		if r == lam && at < len(runes) {
			if l, ok := lamAlef[runes[at]]; ok {
				glyph := l.isolated
				if before {
					glyph = l.final
				}
				out = append(append(out, glyph), runes[i+1:at]...)
				i, joined = at, false
				continue
			}
		}
		after := at < len(runes) && joinsNext(r) && joinsPrevious(runes[at])
		switch {
		case before && after:
			out = append(out, f.medial)
		case before:
			out = append(out, f.final)
		case after:
			out = append(out, f.initial)
		default:
			out = append(out, f.isolated)
		}
		joined = joinsNext(r)
	}
	return out
}
