package saptest

import (
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// salesAreas are the sales organizations, channels and divisions there are.
var salesAreas = []string{"1010/10/00", "1010/20/00", "1710/10/00", "1710/20/00"}

var orderTypes = []string{"OR", "TA", "RE", "CR", "DR", "SO", "ZOR"}

func orderRules(ch *change) error {
	if ch.op == deleting {
		if ch.str("OverallOrdReltdBillgStatus") != "A" {
			return ch.business("V1/370", text{"Sales order %s has subsequent documents and can't be deleted", "Auftrag %s hat Folgebelege und kann nicht gelöscht werden"}, ch.str("SalesOrder"))
		}
		return nil
	}
	if err := ch.orderHeader(); err != nil {
		return err
	}
	ch.set("LastChangeDate", ch.today())
	if ch.op == updating {
		return nil
	}
	ch.created()
	if ch.get("SalesOrder") == nil || ch.str("SalesOrder") == "" {
		ch.set("SalesOrder", strconv.FormatInt(ch.number("order", 1), 10))
	}
	today := ch.today()
	for _, name := range []string{"SalesOrderDate", "PricingDate", "RequestedDeliveryDate"} {
		ch.orSet(name, today)
	}
	ch.orSet("TransactionCurrency", "EUR")
	ch.orSet("ShippingCondition", "01")
	for _, name := range []string{"OverallSDProcessStatus", "OverallTotalDeliveryStatus", "OverallDeliveryStatus", "OverallOrdReltdBillgStatus", "OverallSDDocumentRejectionSts"} {
		ch.set(name, "A")
	}
	return nil
}

// orderHeader checks what an order must say; all mistakes are told at once.
func (ch *change) orderHeader() error {
	var wrong []Detail
	add := func(target, code string, t text, args ...any) {
		wrong = append(wrong, Detail{Code: code, Message: fmt.Sprintf(t.in(ch.call.language), args...), Target: target})
	}
	if kind := ch.str("SalesOrderType"); !slices.Contains(orderTypes, kind) {
		add("SalesOrderType", "V1/313", text{"Sales document type '%s' is not defined", "Verkaufsbelegart '%s' ist nicht definiert"}, kind)
	}
	area := ch.str("SalesOrganization") + "/" + ch.str("DistributionChannel") + "/" + ch.str("OrganizationDivision")
	if !slices.Contains(salesAreas, area) {
		add("SalesOrganization", "V1/307", text{"Sales area '%s' is not defined", "Vertriebsbereich '%s' ist nicht definiert"}, area)
	}
	party := ch.str("SoldToParty")
	switch {
	case party == "":
		add("SoldToParty", "V1/311", text{"Enter a sold-to party", "Geben Sie einen Auftraggeber an"})
	case ch.db.find(partners+"A_Customer", party) == nil:
		add("SoldToParty", "VP/199", text{"Sold-to party %s does not exist or is no customer", "Auftraggeber %s ist nicht vorhanden oder kein Kunde"}, party)
	}
	if len(wrong) == 0 {
		return nil
	}
	e := &Error{Status: http.StatusBadRequest, Code: wrong[0].Code, Message: wrong[0].Message, Target: wrong[0].Target}
	if len(wrong) > 1 {
		e.Details = wrong
	}
	return e
}

// partnerFunctions are those that an order gets from its sold-to party.
var partnerFunctions = []string{"SP", "BP", "PY", "SH"}

func orderMade(ch *change) error {
	switch ch.op {
	case creating:
		order := ch.get("SalesOrder")
		for _, function := range partnerFunctions {
			if ch.db.find(sales+"A_SalesOrderHeaderPartner", order, function) == nil {
				if _, err := ch.put(sales+"A_SalesOrderHeaderPartner", map[string]any{"SalesOrder": order, "PartnerFunction": function, "Customer": ch.get("SoldToParty")}); err != nil {
					return err
				}
			}
		}
	case updating:
		if p := ch.db.find(sales+"A_SalesOrderHeaderPartner", ch.get("SalesOrder"), "SP"); p != nil {
			ch.modify(sales+"A_SalesOrderHeaderPartner", p, map[string]any{"Customer": ch.get("SoldToParty")})
		}
	}
	return nil
}

func itemRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	const model = productService + "A_Product"
	material := ch.str("Material")
	product := ch.db.find(model, material)
	if material == "" || product == nil {
		return ch.business("V1/382", text{"Material '%s' does not exist", "Material '%s' ist nicht vorhanden"}, material).about("Material")
	}
	if ch.op == updating && material != ch.old[ch.column("Material")] {
		return ch.business("V1/384", text{"The material of an item can't be changed", "Das Material einer Position kann nicht geändert werden"}).about("Material")
	}
	quantity := ratFrom(ch.get("RequestedQuantity"))
	if quantity.Sign() <= 0 {
		return ch.business("V1/303", text{"Enter a quantity", "Geben Sie eine Menge an"}).about("RequestedQuantity")
	}
	base := ch.str2(model, product, "BaseUnit")
	ch.orSet("RequestedQuantityUnit", base)
	inBase, ok := ch.inBase(material, ch.str("RequestedQuantityUnit"), quantity)
	if !ok {
		return ch.business("V1/397", text{"Unit of measure '%s' is not defined for material '%s'", "Mengeneinheit '%s' ist für Material '%s' nicht definiert"}, ch.str("RequestedQuantityUnit"), material).about("RequestedQuantityUnit")
	}
	for item, of := range map[string]string{"ItemGrossWeight": "GrossWeight", "ItemNetWeight": "NetWeight"} {
		ch.set(item, rounded(new(big.Rat).Mul(inBase, ratFrom(ch.field(model, product, of))), 3))
	}
	ch.set("ItemWeightUnit", ch.str2(model, product, "WeightUnit"))
	ch.itemStatus()
	if ch.op == creating {
		return ch.newItem(product)
	}
	return nil
}

// itemStatus follows from whether the item is rejected.
func (ch *change) itemStatus() {
	status := "A"
	if ch.str("SalesDocumentRjcnReason") != "" {
		status = "C"
	}
	ch.set("SDProcessStatus", status)
	for _, name := range []string{"DeliveryStatus", "OrderRelatedBillingStatus"} {
		ch.orSet(name, "A")
	}
}

// newItem fills what an item has from its order and its product.
func (ch *change) newItem(product *record) error {
	order := ch.db.find(sales+"A_SalesOrder", ch.get("SalesOrder"))
	if order == nil {
		return ch.business("V1/302", text{"Sales order %v does not exist", "Auftrag %v ist nicht vorhanden"}, ch.get("SalesOrder")).about("SalesOrder")
	}
	const model = productService + "A_Product"
	material := ch.str("Material")
	if ch.get("SalesOrderItem") == nil || ch.str("SalesOrderItem") == "" {
		ch.set("SalesOrderItem", strconv.FormatInt(ch.nextBelow(sales+"A_SalesOrderItem", 10, ch.get("SalesOrder")), 10))
	}
	category := "TAN"
	if kind := ch.str2(model, product, "ProductType"); kind == "SERV" || kind == "DIEN" {
		category = "TAD"
	}
	ch.orSet("SalesOrderItemCategory", category)
	ch.orSet("SalesOrderItemText", ch.description(material))
	ch.orSet("MaterialGroup", ch.str2(model, product, "ProductGroup"))
	ch.orSet("TransactionCurrency", ch.str2(sales+"A_SalesOrder", order, "TransactionCurrency"))
	ch.orSet("PricingDate", ch.field(sales+"A_SalesOrder", order, "PricingDate"))
	plant := "1010"
	for _, delivery := range ch.below(productService+"A_ProductSalesDelivery", material) {
		if s := ch.str2(productService+"A_ProductSalesDelivery", delivery, "SupplyingPlant"); s != "" {
			plant = s
		}
	}
	ch.orSet("ProductionPlant", plant)
	return nil
}

func itemMade(ch *change) error {
	order := ch.get("SalesOrder")
	if ch.op == creating {
		if err := ch.itemPrice(); err != nil {
			return err
		}
		if len(ch.below(sales+"A_SalesOrderScheduleLine", order, ch.get("SalesOrderItem"))) == 0 {
			header := ch.db.find(sales+"A_SalesOrder", order)
			date := ch.field(sales+"A_SalesOrder", header, "RequestedDeliveryDate")
			if _, err := ch.put(sales+"A_SalesOrderScheduleLine", map[string]any{
				"SalesOrder": order, "SalesOrderItem": ch.get("SalesOrderItem"), "ScheduleLine": "1", "RequestedDeliveryDate": date, "ConfirmedDeliveryDate": date,
				"OrderQuantityUnit": ch.get("RequestedQuantityUnit"), "ScheduleLineOrderQuantity": ch.get("RequestedQuantity"), "ConfdOrderQtyByMatlAvailCheck": ch.get("RequestedQuantity"),
			}); err != nil {
				return err
			}
		}
	}
	if ch.op != deleting {
		ch.reckonItem(ch.rec)
	}
	ch.reckonOrder(order)
	return nil
}

// basePrices are the condition types of an item's price.
var basePrices = []string{"PR00", "PPR0", "PMP0"}

// conditions are all condition types, with how they are calculated: "C" by
// quantity, "A" a percentage, and whether they reduce.
var conditions = map[string]struct {
	calculation string
	reduces     bool
}{
	"PR00": {"C", false}, "PPR0": {"C", false}, "PMP0": {"C", false}, "K004": {"C", true}, "K005": {"C", true}, "DRV1": {"B", true},
	"K007": {"A", true}, "RA00": {"A", true}, "RA01": {"A", true}, "HB00": {"B", false}, "ZAB1": {"A", false},
}

// itemPrice gives an item without a price that of the product.
func (ch *change) itemPrice() error {
	order, item := ch.get("SalesOrder"), ch.get("SalesOrderItem")
	const model = sales + "A_SalesOrderItemPrElement"
	for _, r := range ch.below(model, order, item) {
		if slices.Contains(basePrices, ch.str2(model, r, "ConditionType")) {
			return nil
		}
	}
	price, per := ch.listPrice(ch.str("Material"))
	if price.Sign() == 0 {
		return nil
	}
	_, err := ch.put(model, map[string]any{
		"SalesOrder": order, "SalesOrderItem": item, "PricingProcedureStep": "11", "PricingProcedureCounter": "1", "ConditionType": "PR00", "ConditionCalculationType": "C",
		"ConditionRateValue": rounded(price, 2), "ConditionCurrency": ch.get("TransactionCurrency"), "ConditionQuantity": rounded(per, 0), "ConditionQuantityUnit": ch.get("RequestedQuantityUnit"),
		"TransactionCurrency": ch.get("TransactionCurrency"), "ConditionClass": "B", "ConditionCategory": "H",
	})
	return err
}

// listPrice is what a product costs, per how many.
func (t *tx) listPrice(product string) (price, per *big.Rat) {
	const model = productService + "A_ProductValuation"
	for _, v := range t.below(model, product) {
		price = ratFrom(t.field(model, v, "StandardPrice"))
		if price.Sign() == 0 {
			price = ratFrom(t.field(model, v, "MovingAveragePrice"))
		}
		if price.Sign() != 0 {
			if per = ratFrom(t.field(model, v, "PriceUnitQty")); per.Sign() == 0 {
				per = big.NewRat(1, 1)
			}
			return price, per
		}
	}
	return new(big.Rat), big.NewRat(1, 1)
}

func priceRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	kind := ch.str("ConditionType")
	condition, ok := conditions[kind]
	if !ok {
		return ch.business("VK/028", text{"Condition type '%s' is not defined", "Konditionsart '%s' ist nicht definiert"}, kind).about("ConditionType")
	}
	ch.orSet("ConditionQuantity", decimal("1"))
	if ch.op == updating {
		return nil
	}
	item := ch.db.find(sales+"A_SalesOrderItem", ch.get("SalesOrder"), ch.get("SalesOrderItem"))
	if item == nil {
		return ch.business("V1/302", text{"Item %v/%v does not exist", "Position %v/%v ist nicht vorhanden"}, ch.get("SalesOrder"), ch.get("SalesOrderItem"))
	}
	step := "11"
	if !slices.Contains(basePrices, kind) {
		step = "104"
	}
	if ch.get("PricingProcedureStep") == nil || ch.str("PricingProcedureStep") == "" {
		ch.set("PricingProcedureStep", step)
	}
	if ch.get("PricingProcedureCounter") == nil || ch.str("PricingProcedureCounter") == "" {
		ch.set("PricingProcedureCounter", strconv.FormatInt(ch.nextBelow(sales+"A_SalesOrderItemPrElement", 1, ch.get("SalesOrder"), ch.get("SalesOrderItem"), ch.get("PricingProcedureStep")), 10))
	}
	currency := ch.str2(sales+"A_SalesOrderItem", item, "TransactionCurrency")
	ch.set("ConditionCalculationType", condition.calculation)
	ch.orSet("ConditionCurrency", currency)
	ch.orSet("TransactionCurrency", currency)
	if condition.calculation == "C" {
		ch.orSet("ConditionQuantityUnit", ch.str2(sales+"A_SalesOrderItem", item, "RequestedQuantityUnit"))
	}
	ch.set("ConditionIsManuallyChanged", true)
	class := "A"
	if slices.Contains(basePrices, kind) {
		class = "B"
	}
	ch.set("ConditionClass", class)
	return nil
}

// priceMade reckons again what hangs on a price. Within a deep insert the item
// does so itself, but once more does no harm.
func priceMade(ch *change) error {
	if item := ch.db.find(sales+"A_SalesOrderItem", ch.get("SalesOrder"), ch.get("SalesOrderItem")); item != nil {
		ch.reckonItem(item)
		ch.reckonOrder(ch.get("SalesOrder"))
	}
	return nil
}

// reckonItem computes an item's amounts of its price elements.
func (t *tx) reckonItem(item *record) {
	const model = sales + "A_SalesOrderItemPrElement"
	order, number := t.field(sales+"A_SalesOrderItem", item, "SalesOrder"), t.field(sales+"A_SalesOrderItem", item, "SalesOrderItem")
	quantity := ratFrom(t.field(sales+"A_SalesOrderItem", item, "RequestedQuantity"))
	net := new(big.Rat)
	for _, r := range t.below(model, order, number) {
		condition := conditions[t.str(model, r, "ConditionType")]
		rate := ratFrom(t.field(model, r, "ConditionRateValue"))
		if condition.reduces {
			rate = new(big.Rat).Neg(rate.Abs(rate))
		}
		amount, base := rate, new(big.Rat)
		switch condition.calculation {
		case "C":
			base = quantity
			amount = new(big.Rat).Mul(rate, quantity)
			if per := ratFrom(t.field(model, r, "ConditionQuantity")); per.Sign() != 0 {
				amount.Quo(amount, per)
			}
		case "A":
			base = new(big.Rat).Set(net)
			amount = new(big.Rat).Mul(rate, net)
			amount.Quo(amount, big.NewRat(100, 1))
		}
		amount, _ = new(big.Rat).SetString(string(rounded(amount, 2)))
		net.Add(net, amount)
		t.modify(model, r, map[string]any{"ConditionAmount": rounded(amount, 2), "ConditionBaseValue": rounded(base, 2)})
	}
	tax := new(big.Rat).Mul(net, t.taxRate(t.str(sales+"A_SalesOrderItem", item, "Material")))
	t.modify(sales+"A_SalesOrderItem", item, map[string]any{"NetAmount": rounded(net, 2), "TaxAmount": rounded(tax, 2)})
}

// taxRate is 19 % for products with full tax in Germany, otherwise none.
func (t *tx) taxRate(product string) *big.Rat {
	for _, r := range t.below(productService+"A_ProductSalesTax", product, "DE") {
		if t.str(productService+"A_ProductSalesTax", r, "TaxClassification") == "1" {
			return big.NewRat(19, 100)
		}
	}
	return new(big.Rat)
}

// reckonOrder computes an order's total.
func (t *tx) reckonOrder(number any) {
	order := t.db.find(sales+"A_SalesOrder", number)
	if order == nil {
		return
	}
	total, open, rejected := new(big.Rat), 0, 0
	for _, item := range t.below(sales+"A_SalesOrderItem", number) {
		if t.str(sales+"A_SalesOrderItem", item, "SalesDocumentRjcnReason") != "" {
			rejected++
			continue
		}
		open++
		total.Add(total, ratFrom(t.field(sales+"A_SalesOrderItem", item, "NetAmount")))
	}
	status := "A"
	switch {
	case rejected > 0 && open > 0:
		status = "B"
	case rejected > 0:
		status = "C"
	}
	t.modify(sales+"A_SalesOrder", order, map[string]any{"TotalNetAmount": rounded(total, 2), "OverallSDDocumentRejectionSts": status, "LastChangeDate": t.today()})
}

// approval answers an order's request for approval.
func approval(status string) Func {
	return func(c *Call) (any, error) {
		row := c.Row
		if row == nil {
			row = c.Find(sales+"A_SalesOrder", c.Params["SalesOrder"])
		}
		if row == nil {
			return nil, c.t.fail(http.StatusNotFound, "V1/302", text{"Sales order %v does not exist", "Auftrag %v ist nicht vorhanden"}, c.Params["SalesOrder"])
		}
		if row.Get("SalesDocApprovalStatus") != "A" {
			return nil, c.t.fail(http.StatusBadRequest, "APPROVAL/002", text{"Sales order %v is not waiting for approval", "Auftrag %v wartet nicht auf Genehmigung"}, row.Get("SalesOrder"))
		}
		if err := row.Set("SalesDocApprovalStatus", status); err != nil {
			return nil, err
		}
		if c.Row != nil {
			return row, nil
		}
		return map[string]any{"Result": true}, nil
	}
}

// Invoice bills a sales order, as billing runs do, and returns the number of
// the billing document.
func (s *Server) Invoice(salesOrder string) (string, error) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	t := &tx{db: s.db, call: s.inside(s.services[0])}
	number, err := t.invoice(salesOrder)
	if err != nil {
		t.rollback(0)
		return "", err
	}
	t.commit()
	return number, nil
}

func (t *tx) invoice(salesOrder string) (string, error) {
	order := t.db.find(sales+"A_SalesOrder", salesOrder)
	if order == nil {
		return "", errors.New("saptest: there is no such sales order")
	}
	from := func(name string) any { return t.field(sales+"A_SalesOrder", order, name) }
	number := strconv.FormatInt(t.number("billing", 90000000), 10)
	net, tax := new(big.Rat), new(big.Rat)
	for i, item := range t.below(sales+"A_SalesOrderItem", salesOrder) {
		line := func(name string) any { return t.field(sales+"A_SalesOrderItem", item, name) }
		gross := new(big.Rat).Add(ratFrom(line("NetAmount")), ratFrom(line("TaxAmount")))
		net.Add(net, ratFrom(line("NetAmount")))
		tax.Add(tax, ratFrom(line("TaxAmount")))
		position := strconv.Itoa((i + 1) * 10)
		if _, err := t.put(billing+"A_BillingDocumentItem", map[string]any{
			"BillingDocument": number, "BillingDocumentItem": position, "Material": line("Material"), "BillingDocumentItemText": line("SalesOrderItemText"),
			"BillingQuantity": line("RequestedQuantity"), "BillingQuantityUnit": line("RequestedQuantityUnit"), "NetAmount": line("NetAmount"), "TaxAmount": line("TaxAmount"),
			"GrossAmount": rounded(gross, 2), "TransactionCurrency": line("TransactionCurrency"), "SalesDocument": salesOrder, "SalesDocumentItem": line("SalesOrderItem"),
			"ReferenceSDDocument": salesOrder, "ReferenceSDDocumentItem": line("SalesOrderItem"), "CreationDate": t.today(), "CreatedByUser": t.call.user, "Plant": line("ProductionPlant"),
			"MaterialGroup": line("MaterialGroup"), "SalesDocumentItemCategory": line("SalesOrderItemCategory"),
		}); err != nil {
			return "", err
		}
		if err := t.billPrices(number, position, salesOrder, line("SalesOrderItem")); err != nil {
			return "", err
		}
		t.modify(sales+"A_SalesOrderItem", item, map[string]any{"OrderRelatedBillingStatus": "C", "SDProcessStatus": "C"})
	}
	t.modify(sales+"A_SalesOrder", order, map[string]any{"OverallOrdReltdBillgStatus": "C", "OverallSDProcessStatus": "C"})
	today := t.today()
	_, err := t.put(billing+"A_BillingDocument", map[string]any{
		"BillingDocument": number, "SDDocumentCategory": "M", "BillingDocumentCategory": "L", "BillingDocumentType": "F2", "BillingDocumentDate": today, "CreationDate": today,
		"LastChangeDate": today, "CreationTime": t.clock(), "SoldToParty": from("SoldToParty"), "PayerParty": from("SoldToParty"), "CompanyCode": from("SalesOrganization"),
		"SalesOrganization": from("SalesOrganization"), "DistributionChannel": from("DistributionChannel"), "Division": from("OrganizationDivision"),
		"TransactionCurrency": from("TransactionCurrency"), "TotalNetAmount": rounded(net, 2), "TaxAmount": rounded(tax, 2), "TotalGrossAmount": rounded(new(big.Rat).Add(net, tax), 2),
		"PurchaseOrderByCustomer": from("PurchaseOrderByCustomer"), "CustomerPaymentTerms": from("CustomerPaymentTerms"), "AccountingPostingStatus": "C", "AccountingTransferStatus": "C",
		"OverallBillingStatus": "C", "OverallSDProcessStatus": "C", "InvoiceClearingStatus": "A", "DocumentReferenceID": number, "AssignmentReference": number,
		"AccountingDocument": number, "FiscalYear": strconv.Itoa(today.Year()),
	})
	if err != nil {
		return "", err
	}
	_, err = t.put(billing+"A_BillingDocumentPartner", map[string]any{"BillingDocument": number, "PartnerFunction": "PY", "Customer": from("SoldToParty")})
	return number, err
}

// billPrices copies the price elements of an order's item.
func (t *tx) billPrices(number, position, order string, item any) error {
	const from, to = sales + "A_SalesOrderItemPrElement", billing + "A_BillingDocumentItemPrcgElmnt"
	for _, r := range t.below(from, order, item) {
		values := map[string]any{"BillingDocument": number, "BillingDocumentItem": position}
		for _, name := range []string{"PricingProcedureStep", "PricingProcedureCounter", "ConditionType", "ConditionRateValue", "ConditionCurrency", "ConditionQuantity", "ConditionQuantityUnit", "ConditionAmount", "TransactionCurrency"} {
			values[name] = t.field(from, r, name)
		}
		if _, err := t.put(to, values); err != nil {
			return err
		}
	}
	return nil
}

// cancelBilling cancels a billing document by another one.
func cancelBilling(c *Call) (any, error) {
	const model = billing + "A_BillingDocument"
	t := c.t
	number, _ := c.Params["BillingDocument"].(string)
	doc := t.db.find(model, stripZeros(number))
	switch {
	case doc == nil:
		return nil, t.fail(http.StatusNotFound, "VF/041", text{"Billing document %s does not exist", "Faktura %s ist nicht vorhanden"}, number)
	case t.field(model, doc, "BillingDocumentIsCancelled") == true:
		return nil, t.fail(http.StatusBadRequest, "VF/043", text{"Billing document %s is already cancelled", "Faktura %s ist bereits storniert"}, number)
	}
	values := map[string]any{}
	for _, p := range t.db.tables[model].ent.props {
		values[p.name] = doc.vals[p.column]
	}
	storno := strconv.FormatInt(t.number("billing", 90000000), 10)
	values["BillingDocument"], values["CancelledBillingDocument"], values["SDDocumentCategory"], values["BillingDocumentType"] = storno, number, "N", "S1"
	values["BillingDocumentDate"], values["CreationDate"], values["AccountingDocument"] = t.today(), t.today(), storno
	if _, err := t.put(model, values); err != nil {
		return nil, err
	}
	t.modify(model, doc, map[string]any{"BillingDocumentIsCancelled": true, "InvoiceClearingStatus": "C"})
	return []map[string]any{{"BillingDocument": storno, "ReturnCode": ""}}, nil
}

func printBilling(c *Call) (any, error) {
	number, _ := c.Params["BillingDocument"].(string)
	if c.t.db.find(billing+"A_BillingDocument", stripZeros(number)) == nil {
		return nil, c.t.fail(http.StatusNotFound, "VF/041", text{"Billing document %s does not exist", "Faktura %s ist nicht vorhanden"}, number)
	}
	content := "BT /F1 24 Tf 72 720 Td (Invoice " + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number) + ") Tj ET"
	pdf := fmt.Sprintf("%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R>>endobj\n4 0 obj<</Length %d>>stream\n%s\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%%%EOF\n", len(content), content)
	return map[string]any{"BillingDocumentBinary": []byte(pdf)}, nil
}
