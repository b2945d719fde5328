package saptest

import (
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// movement is what a goods movement type does to the stock, and the type that
// takes it back.
type movement struct {
	in       bool
	transfer bool // out of one place and into another
	reversal string
}

var movementTypes = map[string]movement{
	"101": {true, false, "102"}, "102": {false, false, "101"}, "122": {false, false, "123"}, "123": {true, false, "122"}, "161": {false, false, "162"}, "162": {true, false, "161"},
	"201": {false, false, "202"}, "202": {true, false, "201"}, "221": {false, false, "222"}, "222": {true, false, "221"}, "261": {false, false, "262"}, "262": {true, false, "261"},
	"301": {false, true, "302"}, "302": {true, true, "301"}, "311": {false, true, "312"}, "312": {true, true, "311"},
	"501": {true, false, "502"}, "502": {false, false, "501"}, "551": {false, false, "552"}, "552": {true, false, "551"}, "561": {true, false, "562"}, "562": {false, false, "561"},
	"601": {false, false, "602"}, "602": {true, false, "601"}, "651": {true, false, "652"}, "652": {false, false, "651"}, "653": {true, false, "654"}, "654": {false, false, "653"},
	"701": {true, false, "702"}, "702": {false, false, "701"},
}

func movementRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	if code := ch.str("GoodsMovementCode"); len(code) != 2 || code < "01" || code > "07" {
		return ch.business("M7/093", text{"Goods movement code '%s' is not defined", "Bewegungscode '%s' ist nicht definiert"}, code).about("GoodsMovementCode")
	}
	ch.orSet("PostingDate", ch.today())
	ch.orSet("DocumentDate", ch.today())
	posted, _ := ch.get("PostingDate").(time.Time)
	ch.set("MaterialDocumentYear", strconv.Itoa(posted.Year()))
	ch.set("MaterialDocument", strconv.FormatInt(ch.number("movement", 4900000001), 10))
	ch.set("InventoryTransactionType", "WE")
	ch.created()
	return nil
}

// movementMade refuses documents without items.
func movementMade(ch *change) error {
	if ch.op == creating && len(ch.below(movements+"A_MaterialDocumentItem", ch.get("MaterialDocumentYear"), ch.get("MaterialDocument"))) == 0 {
		return ch.business("M7/001", text{"The material document has no items", "Der Materialbeleg hat keine Positionen"}).about("to_MaterialDocumentItem")
	}
	return nil
}

func movementItemRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	const model = productService + "A_Product"
	material, plant := ch.str("Material"), ch.str("Plant")
	product := ch.db.find(model, material)
	kind, ok := movementTypes[ch.str("GoodsMovementType")]
	switch {
	case !ok:
		return ch.business("M7/018", text{"Movement type '%s' is not defined", "Bewegungsart '%s' ist nicht definiert"}, ch.str("GoodsMovementType")).about("GoodsMovementType")
	case product == nil:
		return ch.business("M3/305", text{"Material '%s' does not exist", "Material '%s' ist nicht vorhanden"}, material).about("Material")
	case ch.db.find(productService+"A_ProductPlant", material, plant) == nil:
		return ch.business("M3/351", text{"Material '%s' is not maintained in plant '%s'", "Material '%s' ist im Werk '%s' nicht gepflegt"}, material, plant).about("Plant")
	case ch.str("StorageLocation") == "":
		return ch.business("M7/001", text{"Enter a storage location", "Geben Sie einen Lagerort an"}).about("StorageLocation")
	}
	quantity := ratFrom(ch.get("QuantityInEntryUnit"))
	if quantity.Sign() <= 0 {
		return ch.business("M7/205", text{"Enter a quantity", "Geben Sie eine Menge an"}).about("QuantityInEntryUnit")
	}
	base := ch.str2(model, product, "BaseUnit")
	ch.orSet("EntryUnit", base)
	inBase, ok := ch.inBase(material, ch.str("EntryUnit"), quantity)
	if !ok {
		return ch.business("M7/064", text{"Unit of measure '%s' is not defined for material '%s'", "Mengeneinheit '%s' ist für Material '%s' nicht definiert"}, ch.str("EntryUnit"), material).about("EntryUnit")
	}
	ch.set("MaterialBaseUnit", base)
	ch.set("QuantityInBaseUnit", rounded(inBase, 3))
	if ch.get("MaterialDocumentItem") == nil || ch.str("MaterialDocumentItem") == "" {
		ch.set("MaterialDocumentItem", strconv.FormatInt(ch.nextBelow(movements+"A_MaterialDocumentItem", 1, ch.get("MaterialDocumentYear"), ch.get("MaterialDocument")), 10))
	}
	return ch.moveStock(kind, base, inBase)
}

// moveStock books a movement of the item.
func (ch *change) moveStock(kind movement, unit string, quantity *big.Rat) error {
	ch.set("DebitCreditCode", "H")
	signed := new(big.Rat).Neg(quantity)
	if kind.in {
		ch.set("DebitCreditCode", "S")
		signed = quantity
	}
	ch.set("FiscalYear", ch.get("MaterialDocumentYear"))
	if err := ch.book(ch.str("Material"), ch.str("Plant"), ch.str("StorageLocation"), ch.str("Batch"), unit, signed); err != nil {
		return err
	}
	if !kind.transfer {
		return nil
	}
	ch.orSet("IssuingOrReceivingPlant", ch.str("Plant"))
	if ch.str("IssuingOrReceivingStorageLoc") == "" {
		return ch.business("M7/089", text{"Enter the other storage location", "Geben Sie den anderen Lagerort an"}).about("IssuingOrReceivingStorageLoc")
	}
	return ch.book(ch.str("Material"), ch.str("IssuingOrReceivingPlant"), ch.str("IssuingOrReceivingStorageLoc"), ch.str("Batch"), unit, new(big.Rat).Neg(signed))
}

// book changes a stock, which can't become negative.
func (t *tx) book(material, plant, location, batch, unit string, quantity *big.Rat) error {
	const model = stocks + "A_MatlStkInAcctMod"
	key := []any{material, plant, location, batch, "", "", "", "", "", "", "01"}
	rec := t.db.find(model, key...)
	now := new(big.Rat).Add(ratFrom(t.field(model, rec, "MatlWrhsStkQtyInMatlBaseUnit")), quantity)
	if now.Sign() < 0 {
		short := rounded(new(big.Rat).Neg(now), 3)
		return t.fail(http.StatusBadRequest, "M7/021", text{"Deficit of unrestricted-use stock %s %s: %s %s %s", "Fehlmenge frei verwendbar %s %s: %s %s %s"}, short, unit, material, plant, location).about("QuantityInEntryUnit")
	}
	if rec != nil {
		t.modify(model, rec, map[string]any{"MatlWrhsStkQtyInMatlBaseUnit": rounded(now, 3)})
		return nil
	}
	_, err := t.put(model, map[string]any{
		"Material": material, "Plant": plant, "StorageLocation": location, "Batch": batch, "InventoryStockType": "01", "MaterialBaseUnit": unit, "MatlWrhsStkQtyInMatlBaseUnit": rounded(now, 3),
	})
	return err
}

// cancelMovement takes back a material document, or one item of it.
func cancelMovement(c *Call) (any, error) {
	const header, items = movements + "A_MaterialDocumentHeader", movements + "A_MaterialDocumentItem"
	t := c.t
	year, _ := c.Params["MaterialDocumentYear"].(string)
	number, _ := c.Params["MaterialDocument"].(string)
	doc := t.db.find(header, year, stripZeros(number))
	if doc == nil {
		return nil, t.fail(http.StatusNotFound, "M7/061", text{"Material document %s %s does not exist", "Materialbeleg %s %s ist nicht vorhanden"}, number, year)
	}
	posted := t.today()
	if given, ok := c.Params["PostingDate"].(time.Time); ok {
		posted = given
	}
	storno := strconv.FormatInt(t.number("movement", 4900000001), 10)
	reversed, err := t.put(header, map[string]any{
		"MaterialDocumentYear": strconv.Itoa(posted.Year()), "MaterialDocument": storno, "PostingDate": posted, "DocumentDate": posted, "CreationDate": t.today(), "CreationTime": t.clock(),
		"CreatedByUser": t.call.user, "GoodsMovementCode": t.field(header, doc, "GoodsMovementCode"), "InventoryTransactionType": "WE",
	})
	if err != nil {
		return nil, err
	}
	var only *record
	item, single := c.Params["MaterialDocumentItem"].(string)
	for _, r := range t.below(items, year, stripZeros(number)) {
		if single && t.str(items, r, "MaterialDocumentItem") != stripZeros(item) {
			continue
		}
		if only, err = t.reverseItem(r, strconv.Itoa(posted.Year()), storno); err != nil {
			return nil, err
		}
	}
	if single {
		if only == nil {
			return nil, t.fail(http.StatusNotFound, "M7/061", text{"Material document item %s does not exist", "Materialbelegposition %s ist nicht vorhanden"}, item)
		}
		return &Row{t: t, ent: t.db.tables[items].ent, rec: only}, nil
	}
	return &Row{t: t, ent: t.db.tables[header].ent, rec: reversed}, nil
}

func (t *tx) reverseItem(r *record, year, storno string) (*record, error) {
	const items = movements + "A_MaterialDocumentItem"
	if t.field(items, r, "GoodsMovementIsCancelled") == true {
		return nil, t.fail(http.StatusBadRequest, "M7/299", text{"The material document item is already cancelled", "Die Materialbelegposition ist bereits storniert"})
	}
	values := map[string]any{}
	for _, p := range t.db.tables[items].ent.props {
		values[p.name] = r.vals[p.column]
	}
	kind := movementTypes[t.str(items, r, "GoodsMovementType")]
	quantity := ratFrom(values["QuantityInBaseUnit"])
	code := "S"
	if kind.in {
		quantity = new(big.Rat).Neg(quantity)
		code = "H"
	}
	unit := t.str(items, r, "MaterialBaseUnit")
	if err := t.book(t.str(items, r, "Material"), t.str(items, r, "Plant"), t.str(items, r, "StorageLocation"), t.str(items, r, "Batch"), unit, quantity); err != nil {
		return nil, err
	}
	if kind.transfer {
		if err := t.book(t.str(items, r, "Material"), t.str(items, r, "IssuingOrReceivingPlant"), t.str(items, r, "IssuingOrReceivingStorageLoc"), t.str(items, r, "Batch"), unit, new(big.Rat).Neg(quantity)); err != nil {
			return nil, err
		}
	}
	values["ReversedMaterialDocumentYear"], values["ReversedMaterialDocument"], values["ReversedMaterialDocumentItem"] = values["MaterialDocumentYear"], values["MaterialDocument"], values["MaterialDocumentItem"]
	values["MaterialDocumentYear"], values["MaterialDocument"], values["GoodsMovementType"], values["DebitCreditCode"] = year, storno, kind.reversal, code
	t.modify(items, r, map[string]any{"GoodsMovementIsCancelled": true})
	return t.put(items, values)
}
