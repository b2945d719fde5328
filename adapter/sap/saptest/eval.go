package saptest

import (
	"cmp"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"
)

// orderOf returns how to order the values of two expressions of one class.
func orderOf(a, b *expr) func(x, y any) int {
	if a.alpha || b.alpha {
		return func(x, y any) int {
			s, _ := x.(string)
			t, _ := y.(string)
			return strings.Compare(padZeros(s), padZeros(t))
		}
	}
	return order
}

// order compares two values that are not null.
func order(a, b any) int {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	case bool:
		if y, ok := b.(bool); ok && x != y {
			if y {
				return -1
			}
			return 1
		}
		return 0
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y)
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return cmp.Compare(x, y)
		}
	case []byte:
		// Literals of binaries are texts in hexadecimal.
		if y, ok := b.(string); ok {
			return strings.Compare(fmt.Sprintf("%X", x), y)
		}
		y, _ := b.([]byte)
		return strings.Compare(string(x), string(y))
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
		return orderNumbers(a, b)
	case decimal, float64:
		return orderNumbers(a, b)
	}
	return -1
}

func orderNumbers(a, b any) int {
	x, okX := asDecimal(a)
	y, okY := asDecimal(b)
	if okX && okY {
		return x.compare(y)
	}
	return ratOfValue(a).Cmp(ratOfValue(b))
}

func asDecimal(v any) (decimal, bool) {
	switch v := v.(type) {
	case decimal:
		return v, true
	case int64:
		return decimal(fmt.Sprint(v)), true
	}
	return "", false
}

func ratOfValue(v any) *big.Rat {
	switch v := v.(type) {
	case decimal:
		return v.rat()
	case int64:
		return new(big.Rat).SetInt64(v)
	case float64:
		if r := new(big.Rat).SetFloat64(v); r != nil {
			return r
		}
	}
	return new(big.Rat)
}

// calculate does arithmetic, exactly but for what never ends.
func calculate(word string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	x, y := ratOfValue(a), ratOfValue(b)
	z := new(big.Rat)
	switch word {
	case "add":
		z.Add(x, y)
	case "sub":
		z.Sub(x, y)
	case "mul":
		z.Mul(x, y)
	case "div":
		if y.Sign() == 0 {
			return nil
		}
		_, wholeA := a.(int64)
		_, wholeB := b.(int64)
		if z.Quo(x, y); wholeA && wholeB {
			return new(big.Int).Quo(z.Num(), z.Denom()).Int64()
		}
	case "mod":
		if y.Sign() == 0 {
			return nil
		}
		q := new(big.Rat).Quo(x, y)
		whole := new(big.Int).Quo(q.Num(), q.Denom())
		z.Sub(x, y.Mul(y, new(big.Rat).SetInt(whole)))
	}
	if z.IsInt() && z.Num().IsInt64() {
		return z.Num().Int64()
	}
	text := strings.TrimRight(z.FloatString(20), "0")
	return decimal(strings.TrimSuffix(text, "."))
}

// filterFunction is a function of filters.
type filterFunction struct {
	versions string // "24", "2" or "4"
	min, max int
	takes    []class // the last holds for all further ones; classNull is any
	gives    class
	apply    func(args []any) any
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func textTest(test func(s, t string) bool) func([]any) any {
	return func(args []any) any { return test(textOf(args[0]), textOf(args[1])) }
}

func textChange(change func(string) string) func([]any) any {
	return func(args []any) any { return change(textOf(args[0])) }
}

func datePart(part func(time.Time) int) func([]any) any {
	return func(args []any) any {
		if t, ok := args[0].(time.Time); ok {
			return int64(part(t))
		}
		return nil
	}
}

func clockPart(part func(time.Time) int) func([]any) any {
	return func(args []any) any {
		switch t := args[0].(type) {
		case time.Time:
			return int64(part(t))
		case time.Duration:
			return int64(part(time.Time{}.Add(t)))
		}
		return nil
	}
}

func rounding(round func(r *big.Rat) *big.Int) func([]any) any {
	return func(args []any) any { return round(ratOfValue(args[0])).Int64() }
}

func floor(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	_ = m
	return q
}

func substring(args []any) any {
	runes := []rune(textOf(args[0]))
	start, _ := args[1].(int64)
	start = min(max(start, 0), int64(len(runes)))
	end := int64(len(runes))
	if len(args) > 2 {
		n, _ := args[2].(int64)
		end = min(end, start+max(n, 0))
	}
	return string(runes[start:end])
}

var (
	texts   = []class{classString}
	times   = []class{classNull} // checked by datePart
	numbers = []class{classNumber}
)

// filterFunctions are the functions that filters may call.
var filterFunctions = map[string]filterFunction{
	"substringof": {"2", 2, 2, texts, classBoolean, textTest(func(s, t string) bool { return strings.Contains(t, s) })},
	"contains":    {"4", 2, 2, texts, classBoolean, textTest(strings.Contains)},
	"startswith":  {"24", 2, 2, texts, classBoolean, textTest(strings.HasPrefix)},
	"endswith":    {"24", 2, 2, texts, classBoolean, textTest(strings.HasSuffix)},
	"tolower":     {"24", 1, 1, texts, classString, textChange(strings.ToLower)},
	"toupper":     {"24", 1, 1, texts, classString, textChange(strings.ToUpper)},
	"trim":        {"24", 1, 1, texts, classString, textChange(strings.TrimSpace)},
	"length":      {"24", 1, 1, texts, classNumber, func(args []any) any { return int64(utf8.RuneCountInString(textOf(args[0]))) }},
	"indexof": {"24", 2, 2, texts, classNumber, func(args []any) any {
		at := strings.Index(textOf(args[0]), textOf(args[1]))
		if at > 0 {
			at = utf8.RuneCountInString(textOf(args[0])[:at])
		}
		return int64(at)
	}},
	"concat":    {"24", 2, 2, texts, classString, func(args []any) any { return textOf(args[0]) + textOf(args[1]) }},
	"replace":   {"2", 3, 3, texts, classString, func(args []any) any { return strings.ReplaceAll(textOf(args[0]), textOf(args[1]), textOf(args[2])) }},
	"substring": {"24", 2, 3, []class{classString, classNumber}, classString, substring},
	"year":      {"24", 1, 1, times, classNumber, datePart(time.Time.Year)},
	"month":     {"24", 1, 1, times, classNumber, datePart(func(t time.Time) int { return int(t.Month()) })},
	"day":       {"24", 1, 1, times, classNumber, datePart(time.Time.Day)},
	"hour":      {"24", 1, 1, times, classNumber, clockPart(time.Time.Hour)},
	"minute":    {"24", 1, 1, times, classNumber, clockPart(time.Time.Minute)},
	"second":    {"24", 1, 1, times, classNumber, clockPart(time.Time.Second)},
	"date": {"4", 1, 1, []class{classStamp}, classDate, func(args []any) any {
		if t, ok := args[0].(time.Time); ok {
			return t.Truncate(24 * time.Hour)
		}
		return nil
	}},
	"time": {"4", 1, 1, []class{classStamp}, classTime, func(args []any) any {
		if t, ok := args[0].(time.Time); ok {
			return t.Sub(t.Truncate(24 * time.Hour))
		}
		return nil
	}},
	"round": {"24", 1, 1, numbers, classNumber, rounding(func(r *big.Rat) *big.Int {
		half := big.NewRat(1, 2)
		if r.Sign() < 0 {
			return new(big.Int).Neg(floor(new(big.Rat).Add(new(big.Rat).Neg(r), half)))
		}
		return floor(new(big.Rat).Add(r, half))
	})},
	"floor":   {"24", 1, 1, numbers, classNumber, rounding(floor)},
	"ceiling": {"24", 1, 1, numbers, classNumber, rounding(func(r *big.Rat) *big.Int { return new(big.Int).Neg(floor(new(big.Rat).Neg(r))) })},
}

// call parses the arguments of a function.
func (p *filterParser) call(name string) (*expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if name == "now" && p.version == 4 && p.char(')') {
		return &expr{class: classStamp, fixed: true, eval: func(*env) any { return p.now }}, nil
	}
	f, ok := filterFunctions[name]
	if !ok || !strings.Contains(f.versions, fmt.Sprint(p.version)) {
		return nil, &Error{Status: 400, Code: "005056A509B11EE1B9A8FEC11C22578E", Message: fmt.Sprintf("Invalid function '%s' in the filter", name)}
	}
	var args []*expr
	for !p.char(')') {
		if len(args) > 0 && !p.char(',') {
			return nil, p.syntax()
		}
		x, err := p.sum()
		if err != nil {
			return nil, err
		}
		want := f.takes[min(len(args), len(f.takes)-1)]
		if want != classNull && x.class != classNull && x.class != want {
			return nil, bad("The function '%s' wants a %s, not a %s", name, classNames[want], classNames[x.class])
		}
		args = append(args, x)
	}
	if len(args) < f.min || len(args) > f.max {
		return nil, bad("The function '%s' has %d arguments", name, len(args))
	}
	return &expr{class: f.gives, eval: func(e *env) any {
		values := make([]any, len(args))
		for i, a := range args {
			if values[i] = a.eval(e); values[i] == nil {
				return nil
			}
		}
		return f.apply(values)
	}}, nil
}
