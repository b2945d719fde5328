package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// graph is a composite graph under construction: records in the order in which
// they are created, those that are referred to before those that refer.
type graph struct {
	c     *Client
	nodes []subrequest
	// objects are those of the nodes, for errors.
	objects []*object
}

// add adds a draft and all that belongs to it, and returns its reference.
func (g *graph) add(d *draft, extra map[string]any) string {
	values := maps.Clone(d.values)
	for _, parent := range d.parents {
		values[parent.reference] = "@{" + g.add(parent.draft, nil) + ".id}"
	}
	maps.Copy(values, extra)
	name := "r" + strconv.Itoa(len(g.nodes))
	g.nodes = append(g.nodes, subrequest{Method: http.MethodPost, URL: g.c.path("sobjects", d.object.Name), ReferenceID: name, Body: values})
	g.objects = append(g.objects, d.object)
	for _, child := range d.children {
		g.add(child.draft, map[string]any{child.reference: "@{" + name + ".id}"})
	}
	return name
}

// literal refuses texts that a composite request would take for references to
// its own parts: there is no way to escape them.
func (d *draft) literal() error {
	for _, name := range slices.Sorted(maps.Keys(d.values)) {
		if s, ok := d.values[name].(string); ok && strings.Contains(s, "@{") {
			return &adapter.Error{
				Code: adapter.Unsupported, Model: d.object.Name, Field: name, NothingSent: true,
				Message: "the value of " + quote(name) + " contains @{, which Salesforce would replace among records that are written all or none: write the record by itself",
			}
		}
	}
	for _, list := range [...][]*kin{d.parents, d.children} {
		for _, k := range list {
			if err := k.draft.literal(); err != nil {
				return err
			}
		}
	}
	return nil
}

// createGraph creates records and what is nested in them, all or none, and
// returns the ids of the records themselves.
func (c *Client) createGraph(ctx context.Context, drafts []*draft) ([]adapter.ID, error) {
	size := 0
	for _, d := range drafts {
		size += d.size()
	}
	o := drafts[0].object
	if size > graphSize {
		return nil, &adapter.Error{
			Code: adapter.Unsupported, Model: o.Name, NothingSent: true,
			Message: fmt.Sprintf("%d records can't be created all or none, Salesforce does %d; create the rest afterwards, with a reference to the first", size, graphSize),
		}
	}
	g := &graph{c: c}
	names := make(map[string]int, len(drafts))
	for i, d := range drafts {
		if err := d.literal(); err != nil {
			return nil, err
		}
		names[g.add(d, nil)] = i
	}
	a, err := c.wire.send(ctx, request{
		method: http.MethodPost, path: c.root + "/composite/graph", model: o.Name, changes: true,
		json: map[string]any{"graphs": []any{map[string]any{"graphId": "g", "compositeRequest": g.nodes}}},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Graphs []struct {
			Response struct {
				Responses []subresponse `json:"compositeResponse"`
			} `json:"graphResponse"`
			Successful bool `json:"isSuccessful"`
		} `json:"graphs"`
	}
	if err := a.decode(&answer, o.Name, "a graph of records"); err != nil || len(answer.Graphs) != 1 {
		return nil, lost(err, true)
	}
	responses := answer.Graphs[0].Response.Responses
	if !answer.Graphs[0].Successful {
		return nil, g.failure(responses, len(drafts) > 1)
	}
	ids := make([]adapter.ID, len(drafts))
	for i := range responses {
		place, ok := names[responses[i].ReferenceID]
		if !ok {
			continue
		}
		var result saveResult
		if err := json.Unmarshal(responses[i].Body, &result); err != nil {
			return nil, lost(err, true)
		}
		ids[place] = adapter.StringID(longID(result.ID))
	}
	for _, id := range ids {
		if id.IsZero() {
			return nil, lost(nil, true)
		}
	}
	return ids, nil
}

// failure is the error of the record that made the graph fail.
func (g *graph) failure(responses []subresponse, several bool) error {
	var first error
	for i := range responses {
		model := ""
		for n := range g.nodes {
			if g.nodes[n].ReferenceID == responses[i].ReferenceID {
				model = g.objects[n].Name
			}
		}
		err, cause := responses[i].err(model)
		if cause && several {
			return inRecord(err, i)
		}
		if cause {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = &adapter.Error{Code: adapter.Internal, Model: g.objects[0].Name, Message: "Salesforce refused the records without a reason"}
	}
	return first
}
