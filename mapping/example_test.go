package mapping_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

const exampleFile = `
universal: contact
fields:
  name: {type: char, required: true}
  country: char
  kind: {type: selection, values: [person, company]}
---
mapping: contact
system: odoo
versions: 13.0-19.0
model: res.partner
fields:
  name: name
  country: {path: country_id.code, lookup: {model: res.country, by: code}}
  kind: {path: is_company, values: {person: false, company: true}}
---
mapping: contact
system: salesforce
model: Account
id: Id
fields:
  name: Name
  country: BillingCountryCode
  kind: {constant: company}
`

// The same universal record, as two systems have it, and back.
func Example() {
	set, err := mapping.Parse("contact.yaml", []byte(exampleFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := mapping.WithLookup(context.Background(), mapping.Tables{"res.country": {{"id": 192, "code": "SA"}}})
	azure := adapter.Record{"id": 7, "name": "Azure", "country": "SA", "kind": "company"}

	own, _, _ := set.MapToSystem(ctx, azure, "odoo", "17.0", "contact")
	fmt.Println(inJSON(own))
	own, _, _ = set.MapToSystem(ctx, azure, "salesforce", "", "contact")
	fmt.Println(inJSON(own))

	read := adapter.Record{"id": 7, "name": "Azure", "country_id": map[string]any{"code": "SA"}, "is_company": true}
	universal, _, _ := set.MapToUniversal(ctx, read, "odoo", "17.0", "contact")
	fmt.Println(inJSON(universal))
	// Output:
	// {"country_id":192,"id":7,"is_company":true,"name":"Azure"}
	// {"BillingCountryCode":"SA","Id":7,"Name":"Azure"}
	// {"country":"SA","id":7,"kind":"company","name":"Azure"}
}

func inJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Mistakes in a file are found when it is loaded.
func ExampleParse() {
	_, err := mapping.Parse("mine.yaml", []byte(`universal: contact
fields: {name: char, weight: float}
---
mapping: contact
system: odoo
model: res.partner
fields:
  name: name
  weight: {path: weight, scael: 1000}
`))
	fmt.Println(err)
	// Output: mine.yaml:9: weight: a field has no key "scael" (did you mean "scale"?); there are path, as, values, unknown, words, invert, scale, round, default, empty, fallback, lookup, write, lines, inverse, nest, read_only, write_only, create_only, since, until, versions, doc, split, join, table, constant, compute, unsupported
}

// A plan turns queries too.
func ExamplePlan_Filter() {
	set, err := mapping.Parse("contact.yaml", []byte(exampleFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, system := range []string{"odoo", "salesforce"} {
		plan, err := set.Compile(system, "17.0", "contact", mapping.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		filter, _ := adapter.ParseDomainJSON([]byte(`[["country", "in", ["SA", "AE"]], ["kind", "=", "company"]]`))
		own, err := plan.Filter(context.Background(), filter)
		fmt.Println(string(adapter.AppendDomainJSON(nil, own)), err)
		_, err = plan.Filter(context.Background(), adapter.Cond{Field: "kind", Op: adapter.Like, Value: "c"})
		fmt.Println(err)
	}
	// Output:
	// [["country_id.code","in",["SA","AE"]],["is_company","=",true]] <nil>
	// invalid_argument on contact: field "kind": its values are others in the system: compare with =, !=, in or not in
	// [["BillingCountryCode","in",["SA","AE"]],[1,"=",1]] <nil>
	// <nil>
}

// Mappings of one's own are laid over others.
func ExampleOver() {
	standard, _ := mapping.Parse("contact.yaml", []byte(exampleFile))
	mine, err := mapping.Parse("mine.yaml", []byte(`
universal: contact
extends: true
fields: {loyalty: integer}
---
mapping: contact
system: odoo
versions: 17.0
extends: true
fields: {loyalty: x_loyalty_points}
`), mapping.Over(standard))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := mine.Compile("odoo", "17.0", "contact", mapping.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	paths, _, _ := plan.Fields(nil)
	fmt.Println(paths)
	// Output: [name country_id.code is_company x_loyalty_points]
}
