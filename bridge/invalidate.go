package bridge

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// schemaSuffix marks what is kept about a model rather than its records: it
// does not change with them.
const schemaSuffix = "/schema"

// alongside lists, by the model that is changed, the models whose records
// change or read differently with it: they share a table, inherit from it,
// compute from it or show its name.
var alongside = map[string][]string{
	"res.partner": {
		"res.users", "res.company", "sale.order", "purchase.order", "account.move", "account.move.line", "account.payment",
		"stock.picking", "crm.lead", "res.partner.bank", "hr.employee", "project.task",
	},
	"product.template":    {"product.product", "sale.order.line", "purchase.order.line", "account.move.line", "stock.move", "stock.quant"},
	"product.product":     {"product.template", "sale.order.line", "purchase.order.line", "account.move.line", "stock.move", "stock.quant"},
	"product.category":    {"product.template", "product.product"},
	"uom.uom":             {"product.template", "product.product", "sale.order.line", "purchase.order.line"},
	"sale.order":          {"sale.order.line", "res.partner", "crm.lead"},
	"sale.order.line":     {"sale.order", "res.partner", "product.template", "product.product"},
	"purchase.order":      {"purchase.order.line", "res.partner"},
	"purchase.order.line": {"purchase.order", "res.partner", "product.template", "product.product"},
	"account.move":        {"account.move.line", "account.payment", "sale.order", "sale.order.line", "purchase.order", "res.partner"},
	"account.move.line":   {"account.move", "account.payment", "sale.order", "sale.order.line", "purchase.order", "res.partner"},
	"account.payment":     {"account.move", "account.move.line", "res.partner"},
	"stock.picking":       {"stock.move", "stock.move.line", "sale.order", "purchase.order"},
	"stock.move":          {"stock.picking", "stock.move.line", "stock.quant", "product.product", "product.template", "sale.order", "sale.order.line", "purchase.order", "purchase.order.line"},
	"stock.move.line":     {"stock.picking", "stock.move", "stock.quant", "product.product", "product.template"},
	"stock.quant":         {"product.product", "product.template", "stock.lot", "stock.production.lot"},
	"hr.employee":         {"hr.employee.public", "res.users"},
	"hr.employee.public":  {"hr.employee"},
	"ir.attachment":       {}, // files, unlike the rest of ir., say nothing about other records
	"mail.message":        {},
	"project.project":     {"project.task"},
	"crm.lead":            {"res.partner"},
}

// everywhere are the models, by the beginning of their names, that decide what
// all others show: rights, settings, languages, modules.
var everywhere = []string{"ir.", "base.", "res.groups", "res.users", "res.company", "res.config", "res.lang", "res.currency"}

// entangled are the kinds of systems in which a change of any record may change
// any other: SAP writes whole documents, which its entity sets and services
// show parts of under names of their own, and what a Salesforce organization
// does after a change is written in its flows and triggers.
var entangled = set("sap", "salesforce")

// writing are the methods that change the records of their model and what
// goes alongside, and no more.
var writing = set("create", "write", "unlink", "copy", "name_create", "web_save", "action_archive", "action_unarchive", "toggle_active")

// touched lists the models of which nothing from before a call may be served
// after it; "" is all of them. A method of which nothing is known may change
// anything, so it counts for all: that costs reloads, the contrary would cost
// truth.
func touched(kind, model, method string) []string {
	others, listed := alongside[model]
	switch {
	case entangled[kind]:
		return []string{"", model}
	case !writing[method]:
		return []string{"", model}
	case !listed && slices.ContainsFunc(everywhere, func(prefix string) bool { return strings.HasPrefix(model, prefix) }):
		return []string{"", model}
	}
	return append([]string{model}, others...)
}

// doubts holds the models that a change of unknown outcome touched. It may be
// made after all, and after the last bump, so what is read for a while is not
// kept.
type doubts struct {
	any   atomic.Bool
	mu    sync.Mutex
	until map[string]time.Time
}

// doubtFor is how long a system may take to make a change that nobody waits
// for any more. Odoo's own limit for a request is two minutes.
const doubtFor = 2 * time.Minute

func (d *doubts) add(models []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until == nil {
		d.until = map[string]time.Time{}
	}
	for _, m := range models {
		d.until[m] = time.Now().Add(doubtFor)
	}
	d.any.Store(true)
}

// of reports whether there is doubt about any of the models.
func (d *doubts) of(model string, related []string) bool {
	if !d.any.Load() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for m, until := range d.until {
		if now.After(until) {
			delete(d.until, m)
		}
	}
	d.any.Store(len(d.until) > 0)
	in := func(m string) bool { _, ok := d.until[m]; return ok }
	return in("") || in(model) || slices.ContainsFunc(related, in)
}
