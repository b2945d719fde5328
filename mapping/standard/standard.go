// Package standard holds the universal models and how Odoo 13.0 to 19.0, SAP
// S/4HANA and Salesforce have them: data, in one YAML file for each model, in
// the format of package mapping.
//
// What a system has no counterpart for is said with its reason, and shown in
// docs/mapping-coverage.md. Constants that differ from one company to the next
// (SAP's sales area, order type and partner grouping, the kinds of prices)
// stand in "set" and in the marks of paths, with the values of SAP's own
// example company; a mapping of one's own with "extends: true" changes them:
//
//	mapping: sale_order
//	system: sap
//	extends: true
//	set: {SalesOrderType: TA, SalesOrganization: "1710", DistributionChannel: "10", OrganizationDivision: "00"}
//	fields: {}
package standard

import (
	"embed"
	"sync"

	"github.com/bridgecore/bridgecore/mapping"
)

//go:embed *.yaml
var files embed.FS

// Set returns the standard models and mappings. It is loaded once and must not
// be changed; [mapping.Set.With] puts another one over it.
func Set() *mapping.Set { return load() }

// The files are part of the program, so that a mistake in them is a mistake in
// the program, which the tests find.
var load = sync.OnceValue(func() *mapping.Set {
	s, err := mapping.Load(files)
	if err != nil {
		panic(err) //nolint:forbidigo // the files are part of the program
	}
	return s
})
