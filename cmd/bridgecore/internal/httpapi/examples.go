package httpapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// documented are the requests and answers that the tests play against a whole
// server: what the description shows is what was seen to happen.
//
//go:embed testdata/*/*.json
var documented embed.FS

// refusals is the folder of what every operation may answer.
const refusals = "refusals"

// exchange is one documented request with its answer.
type exchange struct {
	name   string
	folder string
	Note   string          `json:"note"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer"`
}

// samples stand in the description where an exchange has a value that differs
// from run to run.
var samples = strings.NewReplacer(
	"<token>", "eyJhbGciOiJIUzI1NiIs...", "<time>", "2026-01-15T12:00:00Z", "<odoo time>", "2026-01-15 12:00:00",
	"<uuid>", "0b6f7c1e-6f0e-4f0e-9d0f-3d3a3b5b8c11", "<cursor>", "c2luY2UtdGhpcy1tb21lbnQ", "<hash>", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	`"<number>"`, "42", "<number>", "42", `"<seconds>"`, "0.042", "<wait>", "30",
	"{odoo13}", "https://old.example.com", "{odoo17}", "https://odoo.example.com", "{odoo19}", "https://sale.example.com",
	"{salesforce}", "https://acme.my.salesforce.com", "{sap}", "https://my300000.s4hana.cloud.sap", "{sap_user}", "BRIDGE",
	"{salesforce_id}", "3MVG9...", "{password}", "password123", "{odoo_password}", "secret123", "{salesforce_secret}", "secret123", "{sap_password}", "secret123",
)

// exchanges are the documented ones by their files, in the order in which they
// are played.
var exchanges = sync.OnceValue(func() []exchange {
	files, err := documented.ReadDir("testdata")
	if err != nil {
		panic(err) //nolint:forbidigo // the files are part of the program
	}
	var list []exchange
	for _, folder := range files {
		inside, err := documented.ReadDir("testdata/" + folder.Name())
		if err != nil {
			panic(err) //nolint:forbidigo // the files are part of the program
		}
		for _, f := range inside {
			text, err := documented.ReadFile(path.Join("testdata", folder.Name(), f.Name()))
			if err != nil {
				panic(err) //nolint:forbidigo // the files are part of the program
			}
			x := exchange{name: exampleName(f.Name()), folder: folder.Name()}
			if err := json.Unmarshal([]byte(samples.Replace(string(text))), &x); err != nil || x.Method == "" {
				continue // the tests say which file can't be read
			}
			list = append(list, x)
		}
	}
	return list
})

var numbered = regexp.MustCompile(`^\d+[a-z]?_`)

// exampleName is a file's name without the number that orders it.
func exampleName(file string) string {
	return numbered.ReplaceAllString(strings.TrimSuffix(file, ".json"), "")
}

// illustrate gives every operation of the description the documented requests
// and answers that are its own, and every refusal at least one of its status.
func (a *API) illustrate() {
	api := a.huma.OpenAPI()
	operations := operationsOf(api)
	general := map[int]string{} // names of examples by status
	api.Components.Examples = map[string]*huma.Example{}
	for i := range exchanges() {
		x := &exchanges()[i]
		if op := operations.find(x.Method, x.Path); op != nil {
			show(op, x)
		}
		if x.folder == refusals && general[x.Status] == "" {
			name := "error_" + strconv.Itoa(x.Status)
			general[x.Status], api.Components.Examples[name] = name, x.answer()
		}
	}
	for _, op := range operations {
		for status, response := range op.Responses {
			media := response.Content[problemType]
			code, err := strconv.Atoi(status)
			if media == nil || err != nil || len(media.Examples) > 0 {
				continue
			}
			name := general[code]
			if name == "" {
				name = "error_" + status
				general[code], api.Components.Examples[name] = name, typicalProblem(code)
			}
			media.Examples = map[string]*huma.Example{name: {Ref: "#/components/examples/" + name}}
		}
	}
}

// typicalProblem is what a refusal of a status looks like that no documented
// request meets.
func typicalProblem(status int) *huma.Example {
	p := statusProblem(status)
	if status == http.StatusBadRequest {
		p = malformed(17, "a comma or a closing brace should be here")
	}
	p.Info.RequestID = samples.Replace("<uuid>")
	return &huma.Example{Summary: p.Title, Value: p}
}

// answer is the exchange's answer as an example.
func (x *exchange) answer() *huma.Example {
	return &huma.Example{Summary: x.Note, Value: compact(x.Answer)}
}

// show adds an exchange to its operation.
func show(op *huma.Operation, x *exchange) {
	response := op.Responses[strconv.Itoa(x.Status)]
	if response == nil {
		return
	}
	name := x.name
	for _, media := range response.Content {
		for n := 2; media.Examples[name] != nil; n++ {
			name = x.name + "_" + strconv.Itoa(n)
		}
	}
	for kind, media := range response.Content {
		if kind == jsonType[0] || kind == problemType {
			media.Examples = with(media.Examples, name, x.answer())
		}
	}
	if op.RequestBody == nil || len(x.Body) == 0 || x.Status >= http.StatusBadRequest {
		return
	}
	if media := op.RequestBody.Content[jsonType[0]]; media != nil {
		media.Examples = with(media.Examples, name, &huma.Example{Summary: x.Note, Value: compact(x.Body)})
	}
}

func with(examples map[string]*huma.Example, name string, e *huma.Example) map[string]*huma.Example {
	if examples == nil {
		examples = map[string]*huma.Example{}
	}
	examples[name] = e
	return examples
}

func compact(text json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}

// operations are those of a description.
type operations []*huma.Operation

func operationsOf(api *huma.OpenAPI) operations {
	var list operations
	for _, item := range api.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				list = append(list, op)
			}
		}
	}
	// A path without parameters comes before one that would take its place.
	slices.SortFunc(list, func(a, b *huma.Operation) int {
		if n := strings.Count(a.Path, "{") - strings.Count(b.Path, "{"); n != 0 {
			return n
		}
		return strings.Compare(a.Path+a.Method, b.Path+b.Method)
	})
	return list
}

// find returns the operation that answers a request, nil for none.
func (o operations) find(method, target string) *huma.Operation {
	target, _, _ = strings.Cut(target, "?")
	asked := strings.Split(target, "/")
	for _, op := range o {
		parts := strings.Split(op.Path, "/")
		if op.Method != method || len(parts) != len(asked) {
			continue
		}
		fits := true
		for i, part := range parts {
			fits = fits && (part == asked[i] || strings.HasPrefix(part, "{") && asked[i] != "")
		}
		if fits {
			return op
		}
	}
	return nil
}
