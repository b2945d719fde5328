package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

func schemas(idType adapter.FieldType) []adapter.Schema {
	id := adapter.Field{Type: idType}
	return []adapter.Schema{
		{Model: "task", Fields: map[string]adapter.Field{
			"id":         id,
			"name":       {Type: adapter.Char, Required: true},
			"note":       {Type: adapter.Text},
			"rank":       {Type: adapter.Integer},
			"hours":      {Type: adapter.Float},
			"done":       {Type: adapter.Boolean},
			"due":        {Type: adapter.Date},
			"seen":       {Type: adapter.DateTime},
			"project_id": {Type: adapter.Many2One, Relation: "project"},
			"step_ids":   {Type: adapter.One2Many, Relation: "step", Inverse: "task_id"},
			"tag_ids":    {Type: adapter.Many2Many, Relation: "tag"},
			"state":      {Type: adapter.Selection, Selection: []adapter.Option{{Value: "new"}, {Value: "old"}}},
			"code":       {Type: adapter.Char, Size: 4},
			"image":      {Type: adapter.Binary},
			"extra":      {Type: adapter.JSON},
		}},
		{Model: "project", Fields: map[string]adapter.Field{
			"id": id, "name": {Type: adapter.Char, Required: true}, "code": {Type: adapter.Char}, "parent_id": {Type: adapter.Many2One, Relation: "project"},
		}},
		{Model: "step", Fields: map[string]adapter.Field{
			"id": id, "name": {Type: adapter.Char}, "task_id": {Type: adapter.Many2One, Relation: "task", Required: true},
		}},
		{Model: "tag", Fields: map[string]adapter.Field{"id": id, "name": {Type: adapter.Char}}},
	}
}

func TestConformance(t *testing.T) {
	for name, idType := range map[string]adapter.FieldType{"IntegerIDs": adapter.Integer, "TextIDs": adapter.Char} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
				a := memory.New(schemas(idType)...)
				var targets []adapter.Ref
				for _, name := range []string{"North", "South"} {
					id, err := a.Create(t.Context(), "project", adapter.Record{"name": name})
					require.NoError(t, err)
					targets = append(targets, adapter.Ref{ID: id, Name: name})
				}
				return adaptertest.Harness{
					Adapter: a, Model: "task",
					Text: "name", OptionalText: "note", Integer: "rank", Float: "hours", Boolean: "done", Date: "due", DateTime: "seen",
					Reference: "project_id", Targets: targets,
					Lines: "step_ids", LineModel: "step", LineInverse: "task_id",
					Readonly: "display_name",
					Integers: []string{"0", "-1", "9007199254740993", "-9223372036854775808"},
					Decimals: []string{"0", "0.1", "-1.25", "12345678901234567.89", "1e-20"},
				}
			})
		})
	}
}
