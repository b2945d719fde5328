package rpc

import "strings"

// signature is what JSON-2 needs to know about a method, as it takes its
// arguments by name alone.
type signature struct {
	params []string // the names of the positional arguments, after the ids
	model  bool     // the method belongs to the model, and takes no ids
}

// signatures are those of the methods that every model has, as 19.0 names
// them, and of a few others in frequent use. For all others the server is
// asked (see jsonTwo.describe).
var signatures = func() map[string]signature {
	table := map[string]signature{}
	for name, params := range map[string]string{
		"create":                       "vals_list",
		"search":                       "domain offset limit order",
		"search_count":                 "domain limit",
		"search_read":                  "domain fields offset limit order",
		"name_search":                  "name domain operator limit",
		"name_create":                  "name",
		"default_get":                  "fields",
		"fields_get":                   "allfields attributes",
		"read_group":                   "domain fields groupby offset limit orderby lazy",
		"formatted_read_group":         "domain groupby aggregates having offset limit order",
		"formatted_read_grouping_sets": "domain grouping_sets aggregates",
		"web_search_read":              "domain specification offset limit order count_limit",
		"web_read_group":               "domain groupby aggregates limit offset order",
		"web_name_search":              "name specification domain operator limit",
		"get_view":                     "view_id view_type",
		"get_views":                    "views options",
		"load":                         "fields data",
		"check_access_rights":          "operation raise_exception",
		"context_get":                  "",
	} {
		table[name] = signature{params: strings.Fields(params), model: true}
	}
	for name, params := range map[string]string{
		"read":             "fields load",
		"write":            "vals",
		"unlink":           "",
		"copy":             "default",
		"copy_data":        "default",
		"export_data":      "fields_to_export",
		"get_metadata":     "",
		"get_external_id":  "",
		"has_access":       "operation",
		"onchange":         "values field_names fields_spec",
		"web_read":         "specification",
		"web_save":         "vals specification next_id",
		"web_save_multi":   "vals_list specification",
		"action_archive":   "",
		"action_unarchive": "",
		"message_post":     "",
	} {
		table[name] = signature{params: strings.Fields(params)}
	}
	return table
}()
