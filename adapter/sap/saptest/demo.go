package saptest

import (
	"fmt"
	"slices"
	"strconv"
)

// populate makes the demo records, by the same rules that callers meet, so
// that what the system computes is computed.
func (s *Server) populate() error {
	p := &populating{s: s}
	p.partners()
	p.products()
	p.orders()
	p.samples()
	return p.err
}

// populating makes records and remembers the first error.
type populating struct {
	s         *Server
	err       error
	customers []string
	materials []string
}

// add makes a record of a service that the configuration hasn't replaced, and
// returns its key.
func (p *populating) add(model string, values map[string]any) string {
	e := p.s.entity(model)
	if p.err != nil || e == nil || slices.Contains(p.s.config.Services, e.service) {
		return ""
	}
	key, err := p.s.Create(model, values)
	if err != nil {
		p.err = fmt.Errorf("%s %v: %w", model, values, err)
	}
	if n := len(key); n > 1 && key[0] == '\'' {
		return key[1 : n-1]
	}
	return key
}

type values = map[string]any

// masterData are the records that a system has before anybody works with it.
func (s *Server) masterData() error {
	if e := s.entity(groups + "A_ProductGroup"); e == nil || slices.Contains(s.config.Services, e.service) {
		return nil
	}
	for _, g := range [][3]string{{"L001", "Trading goods", "Handelswaren"}, {"L002", "Raw materials", "Rohstoffe"}, {"L003", "Office", "Büro"}, {"L004", "Finished goods", "Fertigerzeugnisse"}, {"P001", "Services", "Dienstleistungen"}} {
		if err := s.Seed(groups+"A_ProductGroup", 1, func(int) map[string]any { return values{"MaterialGroup": g[0]} }); err != nil {
			return err
		}
		if err := s.Seed(groups+"A_ProductGroupText", 2, func(i int) map[string]any {
			return values{"MaterialGroup": g[0], "Language": []string{"EN", "DE"}[i], "MaterialGroupName": g[1+i], "MaterialGroupText": g[1+i]}
		}); err != nil {
			return err
		}
	}
	return nil
}

func (p *populating) partners() {
	for i, c := range []struct {
		name, mail, phone, street, number, city, zip, country, vat string
		people                                                     []string
	}{
		{"Blue Harbor Foods", "orders@blueharbor.example", "+1 555 0111", "Harbour Road", "1", "Seattle", "98101", "US", "", []string{"Ana Kowalski", "Peter Blum"}},
		{"Qamar Medical", "hello@qamar.example", "+966 11 555 0112", "King Fahd Road", "220", "Riyadh", "11564", "SA", "", []string{"Huda Salem"}},
		{"شركة النور للتجارة", "info@alnoor.example", "+966 12 555 0113", "شارع الأمير سلطان", "8", "جدة", "21577", "SA", "", []string{"أحمد العتيبي"}},
		{"Brüder Groß GmbH", "kontakt@gross.example", "+49 30 555 0114", "Lindenstraße", "12a", "Berlin", "10969", "DE", "DE123456789", []string{"Jörg Groß"}},
		{"Lumière & Fils", "bonjour@lumiere.example", "+33 1 5555 0115", "Rue de la République", "44", "Lyon", "69002", "FR", "FR12345678901", nil},
		{"東京商事", "info@tokyo.example", "+81 3 5555 0116", "丸の内", "2", "東京", "100-0005", "JP", "", []string{"花子 田中"}},
		{"O'Neill <Tools> \"Pro\"", "sales@oneill.example", "+44 20 5555 0117", "Park Lane", "7", "Leeds", "LS1 4DY", "GB", "GB999999973", []string{"Nora O'Neill"}},
		{"Delta Office Supply", "team@delta.example", "+1 555 0119", "Congress Avenue", "301", "Austin", "78701", "US", "", []string{"Ruth Okafor"}},
	} {
		taxes := []map[string]any{}
		if c.vat != "" {
			taxes = append(taxes, values{"BPTaxType": c.country + "0", "BPTaxNumber": c.vat})
		}
		id := p.add(partners+"A_BusinessPartner", values{
			"BusinessPartnerCategory": "2", "OrganizationBPName1": c.name, "SearchTerm1": fmt.Sprintf("DEMO%02d", i+1),
			"to_BusinessPartnerRole": []map[string]any{{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}},
			"to_BusinessPartnerTax":  taxes,
			"to_BusinessPartnerAddress": []map[string]any{{
				"StreetName": c.street, "HouseNumber": c.number, "CityName": c.city, "PostalCode": c.zip, "Country": c.country,
				"to_EmailAddress": []map[string]any{{"EmailAddress": c.mail}}, "to_PhoneNumber": []map[string]any{{"PhoneNumber": c.phone}},
				"to_URLAddress": []map[string]any{{"WebsiteURL": "https://demo" + strconv.Itoa(i+1) + ".example"}},
			}},
		})
		p.customers = append(p.customers, id)
		p.add(partners+"A_CustomerSalesArea", values{"Customer": id, "SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00", "Currency": "EUR", "CustomerPaymentTerms": "0001"})
		for j, person := range c.people {
			p.person(id, person, c.city, c.country, j)
		}
	}
	p.add(partners+"A_BusinessPartner", values{"BusinessPartnerCategory": "2", "OrganizationBPName1": "Steelworks North", "to_BusinessPartnerRole": []map[string]any{{"BusinessPartnerRole": "FLVN01"}}})
}

func (p *populating) person(company, name, city, country string, n int) {
	first, last := name, ""
	for i, r := range name {
		if r == ' ' {
			first, last = name[:i], name[i+1:]
			break
		}
	}
	id := p.add(partners+"A_BusinessPartner", values{
		"BusinessPartnerCategory": "1", "FirstName": first, "LastName": last,
		"to_BusinessPartnerAddress": []map[string]any{{"CityName": city, "Country": country,
			"to_EmailAddress":      []map[string]any{{"EmailAddress": fmt.Sprintf("person%s-%d@contacts.example", company, n)}},
			"to_MobilePhoneNumber": []map[string]any{{"PhoneNumber": fmt.Sprintf("+1 555 1%s%d", company[len(company)-3:], n)}}}},
	})
	p.add(partners+"A_BusinessPartnerContact", values{"BusinessPartnerCompany": company, "BusinessPartnerPerson": id})
}

func (p *populating) products() {
	for i, d := range []struct {
		code, kind, unit, name, german, group, price string
		weight                                       int
	}{
		{"DSK-100", "HAWA", "PC", "Walnut Desk", "Schreibtisch Nussbaum", "L003", "480.00", 32}, {"DSK-200", "HAWA", "PC", "Standing Desk", "Stehtisch", "L003", "799.90", 41},
		{"CHR-100", "HAWA", "PC", "Office Chair", "Bürostuhl", "L003", "149.50", 12}, {"LMP-010", "HAWA", "PC", "Desk Lamp", "Schreibtischlampe", "L001", "39.99", 2},
		{"PAP-A4", "HAWA", "PAK", "Paper A4, 500 sheets", "Papier A4, 500 Blatt", "L003", "4.25", 2}, {"WHB-090", "HAWA", "PC", "Whiteboard 90×120", "Whiteboard 90×120", "L003", "85.00", 9},
		{"CHR-200", "HAWA", "PC", "كرسي مكتب", "Drehstuhl", "L003", "210.00", 14}, {"ARM-001", "FERT", "PC", "Monitor Arm", "Monitorarm", "L004", "120.00", 3},
		{"STL-500", "ROH", "KG", "Steel Sheet", "Stahlblech", "L002", "1.85", 1}, {"SRV-ASM", "SERV", "H", "Assembly", "Montage", "P001", "60.00", 0},
		{"SRV-CON", "SERV", "H", "Consulting", "Beratung", "P001", "110.00", 0}, {"CBL-002", "HAWA", "EA", "Cable \"USB-C\" <2 m>", "Kabel USB-C 2 m", "L001", "12.50", 1},
		{"4711", "HAWA", "PC", "Notebook", "Notizbuch", "L003", "3.20", 1},
	} {
		stocked := d.kind != "SERV"
		product := values{
			"Product": d.code, "ProductType": d.kind, "BaseUnit": d.unit, "ProductGroup": d.group, "ItemCategoryGroup": "NORM", "Division": "00",
			"ProductStandardID": fmt.Sprintf("40000000%05d", i+1), "CountryOfOrigin": "DE",
			"to_Description":   []map[string]any{{"Language": "EN", "ProductDescription": d.name}, {"Language": "DE", "ProductDescription": d.german}},
			"to_Valuation":     []map[string]any{{"ValuationArea": "1010", "StandardPrice": d.price}},
			"to_SalesDelivery": []map[string]any{{"ProductSalesOrg": "1010", "ProductDistributionChnl": "10", "SupplyingPlant": "1010"}},
			"to_Plant":         []map[string]any{{"Plant": "1010"}},
		}
		if stocked {
			product["GrossWeight"], product["NetWeight"], product["WeightUnit"] = strconv.Itoa(d.weight), strconv.Itoa(d.weight), "KG"
		}
		p.materials = append(p.materials, p.add(productService+"A_Product", product))
		if stocked {
			p.add(movements+"A_MaterialDocumentHeader", values{"GoodsMovementCode": "05", "MaterialDocumentHeaderText": "Initial stock", "to_MaterialDocumentItem": []map[string]any{
				{"Material": d.code, "Plant": "1010", "StorageLocation": "101A", "GoodsMovementType": "561", "QuantityInEntryUnit": strconv.Itoa(100 * (i + 1))},
			}})
		}
	}
}

func (p *populating) orders() {
	if p.s.entity(sales+"A_SalesOrder") == nil {
		return
	}
	for i := range 10 {
		items := make([]map[string]any, i%3+1)
		for j := range items {
			items[j] = values{"Material": p.materials[(i+j)%len(p.materials)], "RequestedQuantity": strconv.Itoa(j + 1)}
		}
		if i%4 == 1 {
			items[0]["to_PricingElement"] = []map[string]any{{"ConditionType": "PR00", "ConditionRateValue": "99.90"}, {"ConditionType": "RA01", "ConditionRateValue": "10"}}
		}
		order := p.add(sales+"A_SalesOrder", values{
			"SalesOrderType": "OR", "SalesOrganization": "1010", "DistributionChannel": "10", "OrganizationDivision": "00", "SoldToParty": p.customers[i%len(p.customers)],
			"PurchaseOrderByCustomer": fmt.Sprintf("PO-%03d", i), "CustomerPaymentTerms": "0001", "to_Item": items,
			"to_Text": []map[string]any{{"Language": "EN", "LongTextID": "TX01", "LongText": "Deliver to the back door"}},
		})
		if p.err == nil && order != "" && i%3 == 0 {
			_, p.err = p.s.Invoice(order)
		}
		if order != "" && i == 7 {
			p.await(order)
		}
	}
}

// await makes an order wait for approval.
func (p *populating) await(order string) {
	p.s.db.mu.Lock()
	defer p.s.db.mu.Unlock()
	t := &tx{db: p.s.db, call: p.s.inside(p.s.services[0])}
	t.modify(sales+"A_SalesOrder", p.s.db.find(sales+"A_SalesOrder", order), map[string]any{"SalesDocApprovalStatus": "A"})
}

func (p *populating) samples() {
	for i := range 5 {
		v := values{"Name": fmt.Sprintf("Sample %d", i+1), "Code": fmt.Sprintf("S%02d", i+1), "Count": i, "Flag": i%2 == 0}
		if i > 0 {
			v["ParentID"] = "1"
		}
		p.add(samples+"Samples", v)
	}
}
