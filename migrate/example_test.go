package migrate_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// A record goes up, and comes back exactly with what the new version could
// not hold.
func Example() {
	pack, err := migrate.LoadFiles(map[string][]byte{"contacts.yaml": []byte(`
pack: contacts
from: "1.0"
to: "2.0"
models:
  partner:
    rules:
      - rename: {mobile: phone_secondary}
      - remove: fax
      - map: {field: title, values: {mister: mr, madam: ms}}
`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := pack.Compile("partner", "1.0", "2.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	up, _ := plan.Up(ctx, adapter.Record{"name": "Ann", "mobile": "5", "fax": "6", "title": "madam"})
	fmt.Println(up.Record)
	fmt.Println(up.Residue.Field("fax"))
	back, _ := plan.Down(ctx, up.Record, up.Residue)
	fmt.Println(back.Record)
	// Output:
	// map[name:Ann phone_secondary:5 title:ms]
	// 6 true
	// map[fax:6 mobile:5 name:Ann title:madam]
}

// Mistakes in a pack are found when it is loaded.
func ExampleLoadFiles() {
	_, err := migrate.LoadFiles(map[string][]byte{"mine.yaml": []byte(`pack: mine
from: "1.0"
to: "2.0"
models:
  partner:
    rules:
      - rename: {phone: tel}
      - rename: {mobile: tel}
`)})
	fmt.Println(err)
	// Output: mine.yaml:8: rename mobile gives field tel, as does rename phone -> tel (mine.yaml:7)
}

// A plan says what it will do before it does it.
func ExamplePlan_String() {
	pack, _ := migrate.Load(os.DirFS("testdata/example"))
	plan, _ := pack.Compile("lot", "1.0", "3.0")
	fmt.Print(plan)
	// Output:
	// lot, 1.0 -> 2.0 -> 3.0
	// 1.0 -> 2.0
	//   model is now batch
	//   use_date moves to batch.dates.expiry
	//   tracking is required now
	// 2.0 -> 3.0
	//   name is now code
}

// A stream of records is carried in constant memory.
func ExampleStream() {
	pack, _ := migrate.Load(os.DirFS("testdata/example"))
	plan, _ := pack.Compile("partner", "1.0", "2.0")
	in := strings.NewReader(`{"id":1,"phone":"+1"}
{"id":2,"mobile":"+2"}
`)
	report, err := migrate.Stream(context.Background(), in, os.Stdout, plan, migrate.StreamOptions{})
	fmt.Println(report.Migrated, err)
	// Output:
	// {"id":1,"phone_primary":"+1"}
	// {"id":2,"phone_secondary":"+2"}
	// 2 <nil>
}

// A caller of version 1.0 asks a system of version 3.0.
func ExampleLens() {
	pack, _ := migrate.Load(os.DirFS("testdata/example"))
	lens, _ := pack.Lens("lot", "1.0", "3.0", migrate.LensOptions{})
	query, _, err := lens.Query(adapter.Query{
		Model:  "lot",
		Fields: []string{"name"},
		Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: "L1"},
		Order:  []adapter.Order{{Field: "name", Desc: true}},
	})
	fmt.Println(query.Model, query.Fields, query.Filter, adapter.FormatOrder(query.Order), err)
	_, _, err = lens.Fields([]string{"use_date"})
	fmt.Println(err)
	// Output:
	// batch [code] {code = L1} code desc <nil>
	// invalid_argument on lot: field "use_date": it moved to batch.dates.expiry in version 2.0
}

// A user's rules lie over a pack and win where they meet.
func ExampleLayer() {
	base, _ := migrate.Load(os.DirFS("testdata/example"))
	mine, _ := migrate.LoadFiles(map[string][]byte{"mine.yaml": []byte(`
pack: mine
from: "1.0"
to: "2.0"
models:
  partner:
    rules:
      - rename: {phone: x_phone}
`)})
	pack, err := migrate.Layer(base, mine)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, _ := pack.Compile("partner", "1.0", "2.0")
	up, _ := plan.Up(context.Background(), adapter.Record{"phone": "1"})
	fmt.Println(up.Record)
	for _, r := range pack.Replaced() {
		fmt.Println(r.Rule.Key, "was replaced")
	}
	// Output:
	// map[x_phone:1]
	// rename phone was replaced
}
