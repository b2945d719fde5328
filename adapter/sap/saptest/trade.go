package saptest

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The models that rules speak of.
const (
	partners       = "API_BUSINESS_PARTNER."
	productService = "API_PRODUCT_SRV."
	sales          = "API_SALES_ORDER_SRV."
	billing        = "API_BILLING_DOCUMENT_SRV."
	movements      = "API_MATERIAL_DOCUMENT_SRV."
	stocks         = "API_MATERIAL_STOCK_SRV."
	files          = "API_CV_ATTACHMENT_SRV."
	groups         = "API_PRODUCTGROUP_SRV."
	samples        = "ZSAMPLE_SRV."
)

// trade gives the tables their rules and the functions what they do. A
// service that the configuration replaces has none.
func (s *Server) trade() {
	own := map[string]bool{}
	for _, service := range s.services {
		own[service.name] = !slices.Contains(s.config.Services, service)
	}
	for model, r := range map[string][2]rule{
		partners + "A_BusinessPartner":         {partnerRules, nil},
		partners + "A_BusinessPartnerAddress":  {addressRules, nil},
		partners + "A_AddressEmailAddress":     {emailRules, nil},
		partners + "A_AddressPhoneNumber":      {phoneRules, nil},
		partners + "A_AddressFaxNumber":        {faxRules, nil},
		partners + "A_AddressHomePageURL":      {websiteRules, nil},
		partners + "A_BusinessPartnerRole":     {nil, roleMade},
		partners + "A_Customer":                {customerRules, customerMade},
		partners + "A_Supplier":                {customerRules, customerMade},
		partners + "A_BusinessPartnerContact":  {contactRules, nil},
		productService + "A_Product":           {productRules, productMade},
		productService + "A_ProductValuation":  {valuationRules, nil},
		productService + "A_ProductPlant":      {baseUnitRule, nil},
		sales + "A_SalesOrder":                 {orderRules, orderMade},
		sales + "A_SalesOrderItem":             {itemRules, itemMade},
		sales + "A_SalesOrderItemPrElement":    {priceRules, priceMade},
		movements + "A_MaterialDocumentHeader": {movementRules, movementMade},
		movements + "A_MaterialDocumentItem":   {movementItemRules, nil},
		files + "AttachmentContentSet":         {attachmentRules, nil},
		samples + "Samples":                    {sampleRules, nil},
		samples + "Files":                      {fileRules, nil},
	} {
		service, _, _ := strings.Cut(model, ".")
		if t := s.db.tables[model]; t != nil && own[service] {
			t.before, t.after = r[0], r[1]
		}
	}
	for name, f := range map[string]Func{
		sales + "rejectApprovalRequest": approval("C"), sales + "releaseApprovalRequest": approval("B"),
		"api_salesorder.RejectApprovalRequest": approval("C"), "api_salesorder.ReleaseApprovalRequest": approval("B"),
		billing + "Cancel": cancelBilling, billing + "GetPDF": printBilling,
		movements + "Cancel": cancelMovement, movements + "CancelItem": cancelMovement,
		files + "GetAllOriginals": attachmentsOf, files + "GetAttachmentCount": countAttachments, files + "RenameAttachment": renameAttachment,
		samples + "Echo": echo, samples + "Add": add, samples + "Fail": failing, samples + "Rename": rename,
		"zsample.Echo": echo, "zsample.Add": add, "zsample.Fail": failing, "zsample.Rename": rename,
	} {
		service, function, _ := strings.Cut(name, ".")
		if own[service] {
			_ = s.Handle(service, function, f) // it is there unless the service is not
		}
	}
}

// business is an error of a business rule.
func (ch *change) business(code string, t text, args ...any) *Error {
	return ch.fail(http.StatusBadRequest, code, t, args...)
}

// today is the day, as dates have it.
func (t *tx) today() time.Time { return t.now().Truncate(24 * time.Hour) }

// clock is the time of day.
func (t *tx) clock() time.Duration { return t.now().Sub(t.today()).Truncate(time.Second) }

// created fills who made a record and when.
func (ch *change) created() {
	for name, v := range map[string]any{"CreatedByUser": ch.call.user, "CreationDate": ch.today(), "CreationTime": ch.clock()} {
		if ch.table.ent.byName[name] != nil {
			ch.set(name, v)
		}
	}
}

// changed fills who changed a record last.
func (ch *change) changed() {
	for name, v := range map[string]any{"LastChangedByUser": ch.call.user, "LastChangeDate": ch.today(), "LastChangeTime": ch.clock()} {
		if ch.table.ent.byName[name] != nil {
			ch.set(name, v)
		}
	}
}

// put stores a record as it is, without rules; values are the simulator's.
func (t *tx) put(model string, values map[string]any) (*record, error) {
	tab := t.db.tables[model]
	vals := make([]any, len(tab.ent.props))
	for _, p := range tab.ent.props {
		if vals[p.column] = p.initialValue(); p.kind == kindString && p.key {
			vals[p.column] = ""
		}
	}
	for name, v := range values {
		vals[tab.ent.byName[name].column] = v
	}
	t.stampETag(tab, vals, nil)
	return t.insert(tab, vals)
}

// modify changes a stored record without rules.
func (t *tx) modify(model string, rec *record, values map[string]any) {
	tab := t.db.tables[model]
	vals := slices.Clone(rec.vals)
	for name, v := range values {
		vals[tab.ent.byName[name].column] = v
	}
	t.stampETag(tab, vals, rec.vals)
	t.update(tab, rec, vals)
}

// field is a property of a stored record.
func (t *tx) field(model string, rec *record, name string) any {
	if rec == nil {
		return nil
	}
	return rec.vals[t.db.tables[model].ent.byName[name].column]
}

func (t *tx) str(model string, rec *record, name string) string {
	s, _ := t.field(model, rec, name).(string)
	return s
}

// below lists the records whose key begins with these values.
func (t *tx) below(model string, key ...any) []*record {
	tab := t.db.tables[model]
	var b strings.Builder
	for i, v := range key {
		b.WriteString(keyPart(tab.ent.keys[i], v))
		b.WriteByte(0)
	}
	prefix := b.String()
	var list []*record
	for at := tab.position(prefix); at < len(tab.order) && strings.HasPrefix(tab.order[at].key, prefix); at++ {
		if !tab.order[at].dead {
			list = append(list, tab.order[at])
		}
	}
	return list
}

// nextBelow is the number after the highest that the last part of such keys has.
func (t *tx) nextBelow(model string, step int64, key ...any) int64 {
	tab := t.db.tables[model]
	last := tab.ent.keys[len(key)]
	highest := int64(0)
	for _, r := range t.below(model, key...) {
		var n int64
		if _, err := fmt.Sscan(strings.TrimLeft(fmt.Sprint(r.vals[last.column]), "0"), &n); err == nil && n > highest {
			highest = n
		}
	}
	return (highest/step + 1) * step
}

func ratFrom(v any) *big.Rat { return ratOfValue(v) }

// --- business partners ---

func partnerRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	category := ch.str("BusinessPartnerCategory")
	if ch.op == updating && category != ch.old[ch.column("BusinessPartnerCategory")] {
		return ch.business("R11/103", text{"The category of a business partner can't be changed", "Der Typ eines Geschäftspartners kann nicht geändert werden"}).about("BusinessPartnerCategory")
	}
	var wrong []string
	switch category {
	case "1":
		if ch.str("LastName") == "" && ch.str("FirstName") == "" {
			return ch.business("R11/401", text{"Enter a last name for the person", "Geben Sie einen Nachnamen für die Person an"}).about("LastName")
		}
		wrong = []string{"OrganizationBPName1", "OrganizationBPName2", "OrganizationBPName3", "OrganizationBPName4"}
	case "2":
		if ch.str("OrganizationBPName1") == "" {
			return ch.business("R11/402", text{"Enter a name for the organization", "Geben Sie einen Namen für die Organisation an"}).about("OrganizationBPName1")
		}
		wrong = []string{"FirstName", "LastName", "MiddleName"}
	case "3":
	default:
		return ch.business("R11/124", text{"Business partner category '%s' is not valid", "Geschäftspartnertyp '%s' ist nicht gültig"}, category).about("BusinessPartnerCategory")
	}
	for _, name := range wrong {
		if ch.str(name) != "" {
			return ch.business("R11/404", text{"Field '%s' is not possible for business partner category '%s'", "Feld '%s' ist für Geschäftspartnertyp '%s' nicht möglich"}, name, category).about(name)
		}
	}
	ch.partnerNames(category)
	ch.changed()
	if ch.op == creating {
		if ch.get("BusinessPartner") == nil || ch.str("BusinessPartner") == "" {
			ch.set("BusinessPartner", strconv.FormatInt(ch.number("partner", 1000000001), 10))
		}
		ch.created()
		ch.set("BusinessPartnerUUID", newGUID())
		ch.orSet("BusinessPartnerGrouping", "BP02")
		ch.orSet("CorrespondenceLanguage", ch.call.language)
	}
	return nil
}

// partnerNames computes the names that are read.
func (ch *change) partnerNames(category string) {
	join := func(names ...string) string {
		var parts []string
		for _, n := range names {
			if s := ch.str(n); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, " ")
	}
	full := join("OrganizationBPName1", "OrganizationBPName2", "OrganizationBPName3", "OrganizationBPName4")
	if category == "1" {
		full = join("FirstName", "MiddleName", "LastName")
		ch.set("PersonFullName", full)
	}
	ch.set("BusinessPartnerFullName", full)
	ch.set("BusinessPartnerName", full)
}

func newGUID() string {
	t := token()
	return t[:8] + "-" + t[8:12] + "-1ed" + t[13:16] + "-a" + t[17:20] + "-" + t[20:32]
}

// endOfTime is SAP's last day.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func addressRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	if ch.str("Country") == "" {
		return ch.business("AM/107", text{"Enter a country for the address", "Geben Sie ein Land für die Adresse an"}).about("Country")
	}
	if ch.op == updating {
		return nil
	}
	partner := ch.db.find(partners+"A_BusinessPartner", ch.get("BusinessPartner"))
	if partner == nil {
		return ch.business("R11/108", text{"Business partner %v does not exist", "Geschäftspartner %v ist nicht vorhanden"}, ch.get("BusinessPartner")).about("BusinessPartner")
	}
	ch.set("AddressID", strconv.FormatInt(ch.number("address", 20001), 10))
	ch.set("AddressUUID", newGUID())
	ch.set("FullName", ch.str2(partners+"A_BusinessPartner", partner, "BusinessPartnerFullName"))
	ch.orSet("ValidityStartDate", ch.today())
	ch.orSet("ValidityEndDate", endOfTime)
	ch.orSet("AddressTimeZone", "CET")
	ch.orSet("Language", ch.call.language)
	return nil
}

// str2 is str of a stored record; change has a str of its own.
func (ch *change) str2(model string, rec *record, name string) string {
	return ch.tx.str(model, rec, name)
}

// communication numbers a means of communication below its address.
func (ch *change) communication(model, isDefault string) error {
	address, _ := ch.get("AddressID").(string)
	if address == "" {
		return ch.business("AM/228", text{"Address number is missing", "Adressnummer fehlt"}).about("AddressID")
	}
	if ch.get("Person") == nil {
		ch.set("Person", "")
	}
	if ch.get("OrdinalNumber") == nil || ch.str("OrdinalNumber") == "" {
		ch.set("OrdinalNumber", strconv.FormatInt(ch.nextBelow(model, 1, address, ch.get("Person")), 10))
	}
	if isDefault != "" && len(ch.below(model, address, ch.get("Person"))) == 0 {
		ch.set(isDefault, true)
	}
	return nil
}

func emailRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	if mail := ch.str("EmailAddress"); mail != "" && !strings.Contains(mail, "@") {
		return ch.business("XS/813", text{"E-mail address '%s' is not valid", "E-Mail-Adresse '%s' ist ungültig"}, mail).about("EmailAddress")
	}
	search := []rune(strings.ToUpper(ch.str("EmailAddress")))
	ch.set("SearchEmailAddress", string(search[:min(20, len(search))]))
	if ch.op == updating {
		return nil
	}
	return ch.communication(partners+"A_AddressEmailAddress", "IsDefaultEmailAddress")
}

func phoneRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	ch.orSet("PhoneNumberType", "1")
	if ch.parent != nil && ch.via != nil && ch.via.from.set == "A_BusinessPartnerAddress" {
		ch.orSet("DestinationLocationCountry", ch.str2(partners+"A_BusinessPartnerAddress", ch.parent, "Country"))
	}
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(ch.str("PhoneNumber"))
	if len(digits) <= 30 {
		ch.set("InternationalPhoneNumber", digits)
	}
	if ch.op == updating {
		return nil
	}
	return ch.communication(partners+"A_AddressPhoneNumber", "IsDefaultPhoneNumber")
}

func faxRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	return ch.communication(partners+"A_AddressFaxNumber", "")
}

func websiteRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	if ch.get("ValidityStartDate") == nil {
		ch.set("ValidityStartDate", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	if ch.get("IsDefaultURLAddress") == nil {
		ch.set("IsDefaultURLAddress", true)
	}
	return ch.communication(partners+"A_AddressHomePageURL", "")
}

// roleMade makes a customer or a supplier of a partner that gets such a role.
func roleMade(ch *change) error {
	if ch.op != creating {
		return nil
	}
	var set, name string
	switch role := ch.str("BusinessPartnerRole"); {
	case strings.HasPrefix(role, "FLCU"):
		set, name = "A_Customer", "Customer"
	case strings.HasPrefix(role, "FLVN"):
		set, name = "A_Supplier", "Supplier"
	default:
		return nil
	}
	number := ch.str("BusinessPartner")
	if ch.db.find(partners+set, number) != nil {
		return nil
	}
	partner := ch.db.find(partners+"A_BusinessPartner", number)
	full := ch.str2(partners+"A_BusinessPartner", partner, "BusinessPartnerFullName")
	_, err := ch.put(partners+set, map[string]any{name: number, name + "Name": full, name + "FullName": full, "CreatedByUser": ch.call.user, "CreationDate": ch.today()})
	ch.modify(partners+"A_BusinessPartner", partner, map[string]any{name: number})
	return err
}

func customerRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	name := strings.TrimPrefix(ch.table.ent.set, "A_")
	if ch.parent == nil || ch.via.from.set != "A_BusinessPartner" {
		return nil
	}
	full := ch.str2(partners+"A_BusinessPartner", ch.parent, "BusinessPartnerFullName")
	ch.set(name, ch.str2(partners+"A_BusinessPartner", ch.parent, "BusinessPartner"))
	ch.set(name+"Name", full)
	ch.set(name+"FullName", full)
	ch.created()
	return nil
}

// customerMade tells the partner that it is one now.
func customerMade(ch *change) error {
	if ch.op == creating && ch.parent != nil && ch.via.from.set == "A_BusinessPartner" {
		name := strings.TrimPrefix(ch.table.ent.set, "A_")
		ch.modify(partners+"A_BusinessPartner", ch.parent, map[string]any{name: ch.get(name)})
	}
	return nil
}

func contactRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	for _, name := range []string{"BusinessPartnerCompany", "BusinessPartnerPerson"} {
		if ch.db.find(partners+"A_BusinessPartner", ch.get(name)) == nil {
			return ch.business("R11/108", text{"Business partner %v does not exist", "Geschäftspartner %v ist nicht vorhanden"}, ch.get(name)).about(name)
		}
	}
	if ch.get("RelationshipNumber") == nil {
		ch.set("RelationshipNumber", strconv.FormatInt(ch.number("relationship", 1), 10))
	}
	if ch.get("ValidityEndDate") == nil {
		ch.set("ValidityEndDate", endOfTime.Truncate(24*time.Hour))
	}
	ch.orSet("RelationshipCategory", "BUR001")
	return nil
}

// --- products ---

var (
	productTypes = []string{"FERT", "HALB", "HAWA", "ROH", "SERV", "DIEN", "NLAG", "VERP", "KMAT", "HIBE", "MAT"}
	units        = []string{"EA", "PC", "ST", "KG", "G", "TO", "LB", "L", "ML", "M", "CM", "MM", "KM", "M2", "M3", "H", "HUR", "MIN", "DAY", "DY", "CS", "CAR", "BOX", "PAL", "PAK", "BT", "ROL", "SET", "AU", "LE"}
)

func productRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	if ch.op == creating {
		product := strings.ToUpper(strings.TrimSpace(ch.str("Product")))
		if product == "" {
			return ch.business("M3/109", text{"Enter a product number", "Geben Sie eine Produktnummer an"}).about("Product")
		}
		ch.set("Product", product)
		ch.created()
		ch.orSet("IndustrySector", "M")
	}
	for _, name := range []string{"ProductType", "BaseUnit"} {
		if ch.op == updating && ch.str(name) != ch.old[ch.column(name)] {
			return ch.business("M3/029", text{"Field '%s' can't be changed", "Feld '%s' kann nicht geändert werden"}, name).about(name)
		}
	}
	if kind := ch.str("ProductType"); !slices.Contains(productTypes, kind) {
		return ch.business("M3/134", text{"Product type '%s' is not defined", "Produktart '%s' ist nicht definiert"}, kind).about("ProductType")
	}
	for _, name := range []string{"BaseUnit", "WeightUnit"} {
		if unit := ch.str(name); !slices.Contains(units, unit) && (unit != "" || name == "BaseUnit") {
			return ch.business("BM/302", text{"Unit of measure '%s' is not defined", "Mengeneinheit '%s' ist nicht definiert"}, unit).about(name)
		}
	}
	if group := ch.str("ProductGroup"); group != "" && ch.db.find(groups+"A_ProductGroup", group) == nil {
		return ch.business("M3/138", text{"Product group '%s' is not defined", "Warengruppe '%s' ist nicht definiert"}, group).about("ProductGroup")
	}
	ch.changed()
	return nil
}

// productMade makes what every product has.
func productMade(ch *change) error {
	if ch.op != creating {
		return nil
	}
	product, unit := ch.str("Product"), ch.str("BaseUnit")
	if ch.db.find(productService+"A_ProductUnitsOfMeasure", product, unit) == nil {
		if _, err := ch.put(productService+"A_ProductUnitsOfMeasure", map[string]any{"Product": product, "AlternativeUnit": unit, "QuantityNumerator": decimal("1"), "QuantityDenominator": decimal("1"), "BaseUnit": unit}); err != nil {
			return err
		}
	}
	if ch.db.find(stocks+"A_MaterialStock", product) == nil {
		_, err := ch.put(stocks+"A_MaterialStock", map[string]any{"Material": product, "MaterialBaseUnit": unit})
		return err
	}
	return nil
}

// baseUnitRule gives what is said of a product its unit.
func baseUnitRule(ch *change) error {
	if ch.op == creating {
		product := ch.db.find(productService+"A_Product", ch.get("Product"))
		ch.orSet("BaseUnit", ch.str2(productService+"A_Product", product, "BaseUnit"))
	}
	return nil
}

func valuationRules(ch *change) error {
	if ch.op == deleting {
		return nil
	}
	if ch.get("ValuationType") == nil {
		ch.set("ValuationType", "")
	}
	ch.orSet("Currency", "EUR")
	ch.orSet("PriceUnitQty", decimal("1"))
	ch.orSet("InventoryValuationProcedure", "S")
	ch.orSet("PriceLastChangeDate", ch.today())
	return baseUnitRule(ch)
}

// description is what a product is called, in the caller's language or else in
// English.
func (t *tx) description(product string) string {
	for _, language := range []string{t.call.language, "EN"} {
		if r := t.db.find(productService+"A_ProductDescription", product, language); r != nil {
			return t.str(productService+"A_ProductDescription", r, "ProductDescription")
		}
	}
	return ""
}

// inBase turns a quantity of a product into its base unit; ok is false if the
// product has no such unit.
func (t *tx) inBase(product, unit string, quantity *big.Rat) (*big.Rat, bool) {
	rec := t.db.find(productService+"A_Product", product)
	base := t.str(productService+"A_Product", rec, "BaseUnit")
	if unit == base {
		return quantity, true
	}
	model := productService + "A_ProductUnitsOfMeasure"
	alternative := t.db.find(model, product, unit)
	below := ratFrom(t.field(model, alternative, "QuantityDenominator"))
	if alternative == nil || below.Sign() == 0 {
		return nil, false
	}
	out := new(big.Rat).Mul(quantity, ratFrom(t.field(model, alternative, "QuantityNumerator")))
	return out.Quo(out, below), true
}

// --- a service of one's own ---

func sampleRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	if ch.get("SampleID") == nil || ch.str("SampleID") == "" {
		ch.set("SampleID", strconv.FormatInt(ch.number("sample", 1), 10))
	}
	ch.set("CreatedAt", ch.now())
	ch.set("CreatedBy", ch.call.user)
	return nil
}

func fileRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	if ch.get("FileID") == nil || ch.str("FileID") == "" {
		ch.set("FileID", strconv.FormatInt(ch.number("file", 1), 10))
	}
	if ch.media != nil {
		ch.set("FileSize", int64(len(ch.media.content)))
	}
	return nil
}

func echo(c *Call) (any, error) {
	return map[string]any{"Text": c.Params["Text"], "Number": c.Params["Number"], "Amount": c.Params["Amount"], "Day": c.Params["Day"]}, nil
}

func add(c *Call) (any, error) {
	a, _ := c.Params["A"].(int64)
	b, _ := c.Params["B"].(int64)
	return a + b, nil
}

func failing(c *Call) (any, error) {
	e := &Error{Code: fmt.Sprint(c.Params["Code"]), Message: fmt.Sprint(c.Params["Message"])}
	if status, ok := c.Params["Status"].(int64); ok && status >= 400 && status < 600 {
		e.Status = int(status)
	}
	return nil, e
}

func rename(c *Call) (any, error) {
	row := c.Row
	if row == nil {
		row = c.Find(samples+"Samples", c.Params["SampleID"])
	}
	if row == nil {
		return nil, &Error{Status: http.StatusNotFound, Code: "ZSAMPLE/001", Message: "There is no such sample"}
	}
	return row, row.Set("Name", c.Params["Name"])
}

// --- files ---

func attachmentRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	for _, name := range []string{"BusinessObjectTypeName", "LinkedSAPObjectKey"} {
		if ch.str(name) == "" {
			return ch.business("CV_ODATA/002", text{"Header '%s' is missing", "Kopfzeile '%s' fehlt"}, name).about(name)
		}
	}
	n := ch.number("document", 10000000001)
	now := ch.now()
	for name, v := range map[string]any{
		"DocumentInfoRecordDocType": "SL1", "DocumentInfoRecordDocNumber": strconv.FormatInt(n, 10), "DocumentInfoRecordDocVersion": "00", "DocumentInfoRecordDocPart": "000",
		"LogicalDocument": "", "ArchiveDocumentID": strings.ToUpper(token()[:32]), "FileSize": strconv.Itoa(len(ch.media.content)), "CreatedByUser": ch.call.user,
		"CreatedByUserFullName": ch.call.user, "CreationDateTime": now, "ChangedDateTime": now, "LastChangedByUser": ch.call.user, "StorageCategory": "SOMU",
		"AttachmentDeletionIsAllowed": true, "AttachmentRenameIsAllowed": true, "Source": "GOS",
	} {
		ch.set(name, v)
	}
	return nil
}

// attached lists the files of a business object.
func attached(c *Call) []*Row {
	e := c.t.call.server.entity(files + "AttachmentContentSet")
	var rows []*Row
	for _, r := range e.table.order {
		row := &Row{t: c.t, ent: e, rec: r}
		if r.dead || row.Get("LinkedSAPObjectKey") != c.Params["LinkedSAPObjectKey"] {
			continue
		}
		if want := c.Params["BusinessObjectTypeName"]; want != nil && row.Get("BusinessObjectTypeName") != want {
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

func attachmentsOf(c *Call) (any, error) { return attached(c), nil }

func countAttachments(c *Call) (any, error) {
	return map[string]any{"AttachmentCount": strconv.Itoa(len(attached(c)))}, nil
}

func renameAttachment(c *Call) (any, error) {
	e := c.t.call.server.entity(files + "AttachmentContentSet")
	for _, r := range e.table.order {
		row := &Row{t: c.t, ent: e, rec: r}
		if !r.dead && row.Get("ArchiveDocumentID") == c.Params["ArchiveDocumentID"] {
			return row, row.Set("FileName", c.Params["FileName"])
		}
	}
	return nil, &Error{Status: http.StatusNotFound, Code: "CV_ODATA/003", Message: "The attachment does not exist"}
}
