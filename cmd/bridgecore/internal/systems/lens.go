package systems

import (
	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/migrate/odoo"
)

// Lenses let systems be used as other versions of their kind.
func Lenses() map[string]bridge.Lens {
	return map[string]bridge.Lens{Odoo: {Pack: odoo.Community(), Schema: odooSchema}}
}

// odooSchema describes a model of Odoo Community as a version has it.
func odooSchema(version, model string) *adapter.Schema {
	models, _ := odoo.Snapshot(version)
	return models[model]
}
