package odoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// functions are the rules that data can't say, by the names that packs use.
var functions = map[string]migrate.Func{
	"account_type":    {Up: accountType, Down: nil},
	"term_delay":      {Up: termDelay, Down: nil},
	"rest_of_hundred": {Up: restOfHundred, Down: restOfHundred},
	"list_views":      {Up: views("tree", "list"), Down: views("list", "tree")},
}

// accountTypes are the keys of 16.0 by the English names of the standard types
// that 13.0 to 15.0 have as records.
var accountTypes = map[string]string{
	"Receivable":              "asset_receivable",
	"Payable":                 "liability_payable",
	"Bank and Cash":           "asset_cash",
	"Credit Card":             "liability_credit_card",
	"Current Assets":          "asset_current",
	"Non-current Assets":      "asset_non_current",
	"Prepayments":             "asset_prepayments",
	"Fixed Assets":            "asset_fixed",
	"Current Liabilities":     "liability_current",
	"Non-current Liabilities": "liability_non_current",
	"Equity":                  "equity",
	"Current Year Earnings":   "equity_unaffected",
	"Income":                  "income",
	"Other Income":            "income_other",
	"Expenses":                "expense",
	"Depreciation":            "expense_depreciation",
	"Cost of Revenue":         "expense_direct_cost",
	"Off-Balance Sheet":       "off_balance",
}

// internalTypes decide where the type's name is not known. "other" says too
// little.
var internalTypes = map[string]string{
	"receivable": "asset_receivable",
	"payable":    "liability_payable",
	"liquidity":  "asset_cash",
}

// accountType takes user_type_id and internal_type. The record that the first
// refers to has another id in each database, so its name decides.
func accountType(old []any) ([]any, error) {
	if ref, ok := adapter.RefOf(old[0]); ok {
		if key, known := accountTypes[ref.Name]; known {
			return []any{key}, nil
		}
	}
	if internal, ok := old[1].(string); ok {
		if key, known := internalTypes[internal]; known {
			return []any{key}, nil
		}
	}
	return nil, migrate.ErrNeedsPerson
}

// termDelay takes months, days, days_after and end_month of a line of a payment
// term, and gives delay_type and nb_days. A month is 30 days, as in Odoo's own
// upgrades.
func termDelay(old []any) ([]any, error) {
	var n [3]*big.Rat
	for i, name := range []string{"months", "days", "days_after"} {
		r, ok := rational(old[i])
		if !ok {
			return nil, fmt.Errorf("%s must be a number", name)
		}
		n[i] = r
	}
	months, days, after := n[0], n[1], n[2]
	one := big.NewRat(1, 1)
	if old[3] == true {
		switch {
		case months.Sign() == 0 && days.Sign() == 0:
			return []any{"days_after_end_of_month", literal(after)}, nil
		case months.Cmp(one) == 0 && days.Sign() == 0:
			return []any{"days_after_end_of_next_month", literal(after)}, nil
		case months.Cmp(one) <= 0 && days.Sign() > 0:
			return []any{"days_end_of_month_on_the", literal(days)}, nil
		}
	}
	sum := new(big.Rat).Mul(months, big.NewRat(30, 1))
	sum.Add(sum, days).Add(sum, after)
	return []any{"days_after", literal(sum)}, nil
}

// restOfHundred turns the share that must match into the tolerance, and back.
func restOfHundred(old []any) ([]any, error) {
	if old[0] == nil || old[0] == false || old[0] == migrate.Absent {
		return old, nil
	}
	r, ok := rational(old[0])
	if !ok {
		return nil, errors.New("the share must be a number")
	}
	return []any{literal(r.Sub(big.NewRat(100, 1), r))}, nil
}

// views renames a kind of view in lists such as "tree,form".
func views(from, to string) func([]any) ([]any, error) {
	return func(old []any) ([]any, error) {
		s, ok := old[0].(string)
		if !ok {
			return old, nil
		}
		kinds := strings.Split(s, ",")
		for i, kind := range kinds {
			if strings.TrimSpace(kind) == from {
				kinds[i] = strings.Replace(kind, from, to, 1)
			}
		}
		return []any{strings.Join(kinds, ",")}, nil
	}
}

// rational reads a number exactly; what is empty is 0.
func rational(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case nil, bool:
		return new(big.Rat), v != true
	case string:
		return nil, false
	}
	if v == migrate.Absent {
		return new(big.Rat), true
	}
	b, err := json.Marshal(v)
	if err != nil || len(b) > 64 {
		return nil, false
	}
	if i := strings.IndexAny(string(b), "eE"); i >= 0 && len(b)-i > 4 {
		return nil, false // 1e999999999 would take all memory
	}
	return new(big.Rat).SetString(string(b))
}

// literal writes a number with the digits it needs.
func literal(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	n, exact := r.FloatPrec()
	if !exact {
		n = 15
	}
	return json.Number(r.FloatString(n))
}
