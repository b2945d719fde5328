package salesforcetest

import (
	"crypto/md5" //nolint:gosec // the checksum that the system names, no secret
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"
)

// rules are what an object does besides storing values.
type rules struct {
	before   func(t *tx, old, r row) *apiError // may change r; old is nil of a new record
	after    func(t *tx, old, r row) *apiError // r is nil of a deleted record
	deleting func(t *tx, r row) *apiError
}

func rulesOf(name string) rules {
	switch name {
	case "Contact", "Lead", "User":
		return rules{before: nameOfPerson(name)}
	case "Opportunity":
		return rules{before: beforeOpportunity}
	case "OpportunityLineItem":
		return rules{before: beforeOpportunityLine, after: totalOfOpportunity}
	case "PricebookEntry":
		return rules{before: beforePricebookEntry}
	case "Pricebook2":
		return rules{deleting: keepStandardPricebook}
	case "Product2":
		return rules{after: renameEntries}
	case "Order":
		return rules{before: beforeOrder, deleting: keepActivated}
	case "OrderItem":
		return rules{before: beforeOrderItem, after: totalOfOrder}
	case "Task":
		return rules{before: beforeTask}
	case "ContentVersion":
		return rules{before: beforeVersion, after: afterVersion}
	case "ContentDocumentLink":
		return rules{before: beforeLink}
	}
	return rules{}
}

func nameOfPerson(object string) func(*tx, row, row) *apiError {
	return func(t *tx, _, r row) *apiError {
		o := t.db.object(object)
		first, last := r.text(o.at("FirstName")), r.text(o.at("LastName"))
		r[o.at("Name")] = orNil(strings.TrimSpace(first + " " + last))
		if object == "User" && r[o.at("CommunityNickname")] == nil {
			r[o.at("CommunityNickname")] = r[o.at("Alias")]
		}
		return nil
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// stages are the probabilities and forecast categories of an opportunity's
// stages.
var stages = map[string]struct {
	probability float64
	forecast    string
}{
	"Prospecting": {10, "Pipeline"}, "Qualification": {10, "Pipeline"}, "Needs Analysis": {20, "Pipeline"}, "Value Proposition": {50, "Pipeline"},
	"Id. Decision Makers": {60, "Pipeline"}, "Perception Analysis": {70, "Pipeline"}, "Proposal/Price Quote": {75, "Best Case"},
	"Negotiation/Review": {90, "Commit"}, "Closed Won": {100, "Closed"}, "Closed Lost": {0, "Omitted"},
}

func beforeOpportunity(t *tx, old, r row) *apiError {
	o := t.db.object("Opportunity")
	stage := o.at("StageName")
	if old == nil || old[stage] != r[stage] {
		if s, known := stages[r.text(stage)]; known {
			if at := o.at("Probability"); r[at] == nil || old != nil && old[at] == r[at] {
				r[at] = s.probability
			}
			if at := o.at("ForecastCategoryName"); r[at] == nil || old != nil && old[at] == r[at] {
				r[at] = s.forecast
			}
		}
	}
	r[o.at("IsClosed")] = strings.HasPrefix(r.text(stage), "Closed")
	r[o.at("IsWon")] = r.text(stage) == "Closed Won"
	if amount := r[o.at("Amount")]; amount != nil {
		r[o.at("ExpectedRevenue")] = round(r.number(o.at("Amount"))*r.number(o.at("Probability"))/100, 2)
	} else {
		r[o.at("ExpectedRevenue")] = nil
	}
	return nil
}

// entry finds the price book entry that a line is of, and holds it against
// the price book of what the line belongs to.
func (t *tx) entry(lines *object, r row, parents *object, parent row, what string) (row, *apiError) {
	entries := t.db.object("PricebookEntry")
	at := lines.at("PricebookEntryId")
	if r[at] == nil {
		return nil, nil // which the check of required fields says
	}
	id, err := t.db.checkReference(&lines.Fields[at], r[at])
	if err != nil {
		return nil, err
	}
	r[at] = id
	entry, _ := entries.table.get(r.text(at))
	fail := func(why string) *apiError {
		return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "field integrity exception: PricebookEntryId (" + why + ")", fields: []string{"PricebookEntryId"}}
	}
	if entry[entries.at("IsActive")] != true {
		return nil, fail("pricebook entry is inactive")
	}
	if parent == nil {
		return entry, nil
	}
	if book := parent.text(parents.at("Pricebook2Id")); book != entry.text(entries.at("Pricebook2Id")) {
		return nil, fail("pricebook entry is in a different pricebook than the one assigned to the " + what)
	}
	return entry, nil
}

// owner finds the record that a line belongs to.
func (t *tx) owner(lines *object, r row, field string) (row, *apiError) {
	at := lines.at(field)
	if r[at] == nil {
		return nil, nil
	}
	id, err := t.db.checkReference(&lines.Fields[at], r[at])
	if err != nil {
		return nil, err
	}
	r[at] = id
	_, parent := t.db.parent(lines, r, at)
	return parent, nil
}

func beforeOpportunityLine(t *tx, old, r row) *apiError {
	o, parents, entries := t.db.object("OpportunityLineItem"), t.db.object("Opportunity"), t.db.object("PricebookEntry")
	parent, err := t.owner(o, r, "OpportunityId")
	if err != nil {
		return err
	}
	book := parents.at("Pricebook2Id")
	if parent != nil && parent[book] == nil {
		// The first product settles the price book of an opportunity.
		if _, entry := t.db.parent(o, r, o.at("PricebookEntryId")); entry != nil {
			settled := slices.Clone(parent)
			settled[book] = entry[entries.at("Pricebook2Id")]
			t.put(parents, settled)
			parent = settled
		}
	}
	entry, err := t.entry(o, r, parents, parent, "opportunity")
	if err != nil || entry == nil {
		return err
	}
	t.productOf(o, r, entry)
	quantity, unit, total := r.number(o.at("Quantity")), o.at("UnitPrice"), o.at("TotalPrice")
	switch {
	case r[unit] == nil && r[total] != nil && quantity != 0:
		r[unit] = round(r.number(total)/quantity, 2)
	case r[unit] == nil:
		r[unit] = entry[entries.at("UnitPrice")]
	}
	subtotal := round(quantity*r.number(unit), 2)
	r[o.at("Subtotal")] = subtotal
	r[total] = round(subtotal*(1-r.number(o.at("Discount"))/100), 2)
	if name := r.text(o.at("Name")); name == "" && parent != nil {
		r[o.at("Name")] = orNil(parent.text(parents.at("Name")) + " " + entry.text(entries.at("Name")))
	}
	_ = old
	return nil
}

// productOf sets what a line has of its price book entry.
func (t *tx) productOf(o *object, r, entry row) {
	entries := t.db.object("PricebookEntry")
	r[o.at("Product2Id")] = entry[entries.at("Product2Id")]
	if at := o.at("ListPrice"); r[at] == nil {
		r[at] = entry[entries.at("UnitPrice")]
	}
	if at := o.at("ProductCode"); at >= 0 {
		r[at] = entry[entries.at("ProductCode")]
	}
}

// total sums a field of a record's lines.
func (t *tx) total(lines *object, parent, field, id string) (sum float64, n int) {
	for _, line := range lines.table.referring(lines.at(parent), id) {
		sum += line.number(lines.at(field))
		n++
	}
	return round(sum, 2), n
}

func totalOfOpportunity(t *tx, old, r row) *apiError {
	lines, o := t.db.object("OpportunityLineItem"), t.db.object("Opportunity")
	line := r
	if line == nil {
		line = old
	}
	parent, ok := o.table.get(line.text(lines.at("OpportunityId")))
	if !ok || parent.deleted() {
		return nil
	}
	changed := slices.Clone(parent)
	sum, n := t.total(lines, "OpportunityId", "TotalPrice", parent.id())
	quantity, _ := t.total(lines, "OpportunityId", "Quantity", parent.id())
	changed[o.at("Amount")], changed[o.at("TotalOpportunityQuantity")], changed[o.at("HasOpportunityLineItem")] = sum, quantity, n > 0
	changed[o.at("ExpectedRevenue")] = round(sum*changed.number(o.at("Probability"))/100, 2)
	changed[fieldModstamp], changed[fieldModifiedDate] = t.when, t.when
	t.put(o, changed)
	return nil
}

func beforePricebookEntry(t *tx, old, r row) *apiError {
	o, products := t.db.object("PricebookEntry"), t.db.object("Product2")
	book, product := o.at("Pricebook2Id"), o.at("Product2Id")
	for _, at := range []int{book, product} {
		if r[at] == nil {
			return nil
		}
		id, err := t.db.checkReference(&o.Fields[at], r[at])
		if err != nil {
			return err
		}
		r[at] = id
	}
	_, p := t.db.parent(o, r, product)
	r[o.at("Name")], r[o.at("ProductCode")] = p[products.at("Name")], p[products.at("ProductCode")]
	var standard row
	for _, other := range o.table.referring(product, r.text(product)) {
		if old == nil && other[book] == r[book] {
			return &apiError{code: "DUPLICATE_VALUE", message: "This price definition already exists in this price book", fields: []string{}}
		}
		if other.text(book) == t.db.standardPricebook {
			standard = other
		}
	}
	if r.text(book) == t.db.standardPricebook {
		return nil
	}
	if standard == nil {
		return &apiError{code: "STANDARD_PRICE_NOT_DEFINED", message: "No standard price defined for this product", fields: []string{}}
	}
	if r[o.at("UseStandardPrice")] == true {
		r[o.at("UnitPrice")] = standard[o.at("UnitPrice")]
	}
	return nil
}

func keepStandardPricebook(t *tx, r row) *apiError {
	if r.id() == t.db.standardPricebook {
		return &apiError{code: "DELETE_FAILED", message: "Your attempt to delete the standard price book could not be completed: it cannot be deleted", fields: []string{}}
	}
	return nil
}

// renameEntries keeps the names of price book entries those of the product.
func renameEntries(t *tx, old, r row) *apiError {
	if old == nil || r == nil {
		return nil
	}
	products, entries := t.db.object("Product2"), t.db.object("PricebookEntry")
	name, code := products.at("Name"), products.at("ProductCode")
	if old[name] == r[name] && old[code] == r[code] {
		return nil
	}
	for _, e := range entries.table.referring(entries.at("Product2Id"), r.id()) {
		changed := slices.Clone(e)
		changed[entries.at("Name")], changed[entries.at("ProductCode")] = r[name], r[code]
		t.put(entries, changed)
	}
	return nil
}

func beforeOrder(t *tx, old, r row) *apiError {
	o := t.db.object("Order")
	status := o.at("Status")
	if r[o.at("AccountId")] == nil {
		return required("AccountId")
	}
	if r[o.at("TotalAmount")] == nil {
		r[o.at("TotalAmount")] = 0.0
	}
	activated := strings.EqualFold(r.text(status), "Activated")
	r[o.at("StatusCode")] = "Draft"
	if activated {
		r[o.at("StatusCode")] = "Activated"
	}
	fail := func(why string, fields ...string) *apiError {
		return &apiError{code: "FAILED_ACTIVATION", message: why, fields: append([]string{}, fields...)}
	}
	if old == nil {
		if activated {
			return fail("Choose a valid order status and save your changes. Ask your admin for details.", "Status")
		}
		return nil
	}
	was := old.text(o.at("StatusCode")) == "Activated"
	lines := t.db.object("OrderItem")
	items := lines.table.referring(lines.at("OrderId"), r.id())
	for _, name := range []string{"AccountId", "Pricebook2Id"} {
		if at := o.at(name); old[at] != r[at] && (was || name == "Pricebook2Id" && len(items) > 0) {
			return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "field integrity exception: " + name + " (it cannot be changed once the order is activated or has products)", fields: []string{name}}
		}
	}
	if activated && !was {
		if len(items) == 0 {
			return fail("An order must have at least one product.")
		}
		r[o.at("ActivatedDate")], r[o.at("ActivatedById")] = t.when, t.db.user
	}
	if was && !activated {
		r[o.at("ActivatedDate")], r[o.at("ActivatedById")] = nil, nil
	}
	return nil
}

func keepActivated(t *tx, r row) *apiError {
	o := t.db.object("Order")
	if r.text(o.at("StatusCode")) == "Activated" {
		return &apiError{code: "DELETE_FAILED", message: "You can't delete an activated order. Set its status to Draft first.", fields: []string{}}
	}
	return nil
}

func beforeOrderItem(t *tx, old, r row) *apiError {
	o, orders := t.db.object("OrderItem"), t.db.object("Order")
	order, err := t.owner(o, r, "OrderId")
	if err != nil {
		return err
	}
	if old == nil && order != nil && order.text(orders.at("StatusCode")) == "Activated" {
		return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "field integrity exception: OrderId (products cannot be added to an activated order)", fields: []string{"OrderId"}}
	}
	entry, err := t.entry(o, r, orders, order, "order")
	if err != nil || entry == nil {
		return err
	}
	if given := r[o.at("Product2Id")]; given != nil && old == nil {
		id, _ := parseID(r.text(o.at("Product2Id")))
		if entries := t.db.object("PricebookEntry"); id != entry.text(entries.at("Product2Id")) {
			return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "field integrity exception: Product2Id (it is not the product of the pricebook entry)", fields: []string{"Product2Id"}}
		}
	}
	t.productOf(o, r, entry)
	if r[o.at("Quantity")] != nil && r.number(o.at("Quantity")) == 0 {
		return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "field integrity exception: Quantity (quantity must be nonzero)", fields: []string{"Quantity"}}
	}
	r[o.at("AvailableQuantity")] = r[o.at("Quantity")]
	r[o.at("TotalPrice")] = round(r.number(o.at("Quantity"))*r.number(o.at("UnitPrice")), 2)
	return nil
}

func totalOfOrder(t *tx, old, r row) *apiError {
	lines, o := t.db.object("OrderItem"), t.db.object("Order")
	line := r
	if line == nil {
		line = old
	}
	order, ok := o.table.get(line.text(lines.at("OrderId")))
	if !ok || order.deleted() {
		return nil
	}
	changed := slices.Clone(order)
	changed[o.at("TotalAmount")], _ = t.total(lines, "OrderId", "TotalPrice", order.id())
	changed[fieldModstamp], changed[fieldModifiedDate] = t.when, t.when
	t.put(o, changed)
	return nil
}

func beforeTask(t *tx, old, r row) *apiError {
	o := t.db.object("Task")
	closed := r.text(o.at("Status")) == "Completed"
	r[o.at("IsClosed")], r[o.at("IsHighPriority")] = closed, r.text(o.at("Priority")) == "High"
	if closed && (old == nil || old[o.at("IsClosed")] != true) {
		r[o.at("CompletedDateTime")] = t.when
	}
	if target, what := t.db.parent(o, r, o.at("WhatId")); target != nil {
		r[o.at("AccountId")] = nil
		if target.Name == "Account" {
			r[o.at("AccountId")] = what.id()
		} else if at := target.at("AccountId"); at >= 0 {
			r[o.at("AccountId")] = what[at]
		}
	}
	return nil
}

func beforeVersion(t *tx, old, r row) *apiError {
	o := t.db.object("ContentVersion")
	if old != nil {
		return nil
	}
	client := r.text(o.at("PathOnClient"))
	data, _ := r[o.at("VersionData")].([]byte)
	if r[o.at("VersionData")] == nil {
		return required("VersionData")
	}
	if client == "" {
		return required("PathOnClient")
	}
	file := path.Base(strings.ReplaceAll(client, `\`, "/"))
	extension := strings.TrimPrefix(path.Ext(file), ".")
	if at := o.at("Title"); r[at] == nil {
		r[at] = orNil(strings.TrimSuffix(file, "."+extension))
	}
	sum := md5.Sum(data) //nolint:gosec // as above
	r[o.at("FileExtension")], r[o.at("FileType")] = orNil(extension), "UNKNOWN"
	if extension != "" {
		r[o.at("FileType")] = strings.ToUpper(extension)
	}
	if extension == "txt" {
		r[o.at("FileType")] = "TEXT"
	}
	r[o.at("ContentSize")], r[o.at("Checksum")] = float64(len(data)), hex.EncodeToString(sum[:])
	r[o.at("IsLatest")], r[o.at("PublishStatus")], r[o.at("VersionNumber")] = true, "P", "1"
	at := o.at("ContentDocumentId")
	if r[at] == nil {
		return nil
	}
	if r[o.at("FirstPublishLocationId")] != nil {
		return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "field integrity exception: FirstPublishLocationId (it is for a new document only)", fields: []string{"FirstPublishLocationId"}}
	}
	id, err := t.db.checkReference(&o.Fields[at], r[at])
	if err != nil {
		return err
	}
	r[at] = id
	versions := o.table.referring(at, r.text(at))
	for _, v := range versions {
		previous := slices.Clone(v)
		previous[o.at("IsLatest")], previous[o.at("PublishStatus")] = false, "R"
		t.put(o, previous)
	}
	r[o.at("VersionNumber")] = strconv.Itoa(len(versions) + 1)
	return nil
}

// afterVersion keeps the document that versions belong to, and links a new
// one to its owner and to where it was published first.
func afterVersion(t *tx, old, r row) *apiError {
	if r == nil {
		return nil
	}
	o, documents, links := t.db.object("ContentVersion"), t.db.object("ContentDocument"), t.db.object("ContentDocumentLink")
	at := o.at("ContentDocumentId")
	set := func(document row) row {
		for _, name := range []string{"Title", "Description", "FileType", "FileExtension", "ContentSize", "OwnerId", "PublishStatus"} {
			document[documents.at(name)] = r[o.at(name)]
		}
		document[documents.at("LatestPublishedVersionId")] = r.id()
		document[documents.at("IsArchived")] = false
		return document
	}
	if r[at] != nil {
		if document, ok := documents.table.get(r.text(at)); ok && r[o.at("IsLatest")] == true {
			document = set(slices.Clone(document))
			document[fieldModstamp], document[fieldModifiedDate] = t.when, t.when
			t.put(documents, document)
		}
		return nil
	}
	id, err := t.insertRow(documents, set(make(row, len(documents.Fields))))
	if err != nil {
		return err
	}
	linked := slices.Clone(r)
	linked[at] = id
	t.put(o, linked)
	_ = old
	link := func(entity any, share string) *apiError {
		_, err := t.insert(links, changes{links.at("ContentDocumentId"): id, links.at("LinkedEntityId"): entity, links.at("ShareType"): share})
		return err
	}
	if err := link(r[o.at("OwnerId")], "I"); err != nil {
		return err
	}
	if first := r[o.at("FirstPublishLocationId")]; first != nil && first != r[o.at("OwnerId")] {
		return link(first, "V")
	}
	return nil
}

func beforeLink(t *tx, old, r row) *apiError {
	o := t.db.object("ContentDocumentLink")
	if old != nil {
		return nil
	}
	document, _ := parseID(r.text(o.at("ContentDocumentId")))
	entity, _ := parseID(r.text(o.at("LinkedEntityId")))
	for _, other := range o.table.referring(o.at("ContentDocumentId"), document) {
		if other.text(o.at("LinkedEntityId")) == entity {
			return &apiError{code: "DUPLICATE_VALUE", message: "duplicate value found: " + "LinkedEntityId duplicates value on record with id: " + other.id(), fields: []string{}}
		}
	}
	return nil
}
