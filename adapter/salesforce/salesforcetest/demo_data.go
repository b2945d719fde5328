package salesforcetest

import "fmt"

// filling collects the first error of many creations.
type filling struct {
	server *Server
	tx     *tx
	err    error
}

func (f *filling) add(object string, values map[string]any) string {
	if f.err != nil {
		return ""
	}
	id, err := f.server.put(f.tx, object, values)
	f.err = err
	return id
}

// demo makes records that look like those of a small wholesaler.
func (s *Server) demo(t *tx) error {
	f := &filling{server: s, tx: t}
	accounts := f.accounts()
	entries := f.products()
	f.sales(accounts, entries)
	f.samples()
	f.add("ContentVersion", map[string]any{"Title": "Terms", "PathOnClient": "terms.txt", "VersionData": "VGVybXM6IDMwIGRheXMuCg==", "FirstPublishLocationId": accounts[0]})
	return f.err
}

func (f *filling) accounts() []string {
	var ids []string
	for i, a := range []struct {
		name, industry, phone, city, country, currency string
		people                                         [][2]string
	}{
		{"Harbour Trading Ltd", "Retail", "+44 20 7946 0101", "London", "United Kingdom", "GBP", [][2]string{{"Amelia", "Stone"}, {"Noah", "Field"}}},
		{"Nordlicht GmbH", "Manufacturing", "+49 30 5550 102", "Berlin", "Germany", "EUR", [][2]string{{"Jonas", "Weiß"}}},
		{"Desert Rose Trading", "Hospitality", "+966 11 555 0103", "Riyadh", "Saudi Arabia", "SAR", [][2]string{{"سارة", "العتيبي"}, {"Omar", "Haddad"}}},
		{"Blue Ridge Supply", "Construction", "+1 555 0104", "Denver", "United States", "USD", [][2]string{{"Grace", "Hopkins"}}},
		{"Café São Bento", "Food & Beverage", "+351 21 555 0105", "Lisbon", "Portugal", "EUR", nil},
		{"O'Neill & Daughters", "Retail", "+353 1 555 0106", "Dublin", "Ireland", "EUR", [][2]string{{"Aoife", "O'Neill"}}},
	} {
		values := map[string]any{
			"Name": a.name, "Industry": a.industry, "Phone": a.phone, "BillingStreet": fmt.Sprintf("%d Market Street", 10+i), "BillingCity": a.city, "BillingCountry": a.country, "BillingPostalCode": fmt.Sprint(10110 + i),
			"Website": "https://www.example.com/" + fmt.Sprint(i), "AccountNumber": fmt.Sprintf("C-%04d", i+1), "Type": "Customer - Direct", "AnnualRevenue": 1_250_000 * (i + 1), "NumberOfEmployees": 12 * (i + 1), "Description": "Regular customer", "External_Id__c": fmt.Sprintf("demo-account-%d", i+1),
		}
		id := f.add("Account", values)
		ids = append(ids, id)
		for j, p := range a.people {
			f.add("Contact", map[string]any{"AccountId": id, "FirstName": p[0], "LastName": p[1], "Email": fmt.Sprintf("person%d.%d@contacts.example", i+1, j+1), "Title": []string{"Buyer", "Director"}[j%2], "MailingCity": a.city, "MailingCountry": a.country, "Phone": a.phone})
		}
	}
	f.add("Account", map[string]any{"Name": "Harbour Trading North", "ParentId": ids[0], "Industry": "Retail"})
	for i, l := range []struct{ first, last, company, status string }{{"Ruth", "Okafor", "Delta Office", "Open - Not Contacted"}, {"Ivan", "Petrov", "Volga Import", "Working - Contacted"}, {"Mona", "Adel", "Nile Logistics", "Open - Not Contacted"}} {
		f.add("Lead", map[string]any{"FirstName": l.first, "LastName": l.last, "Company": l.company, "Status": l.status, "LeadSource": "Web", "Email": fmt.Sprintf("lead%d@leads.example", i+1)})
	}
	return ids
}

// products returns the standard price book entries of the products.
func (f *filling) products() []string {
	var entries []string
	for i, p := range []struct {
		name, code, family string
		price              float64
	}{
		{"Walnut Desk", "DSK-100", "Furniture", 480}, {"Standing Desk", "DSK-200", "Furniture", 799.9}, {"Office Chair", "CHR-100", "Furniture", 149.5}, {"Desk Lamp", "LMP-010", "Hardware", 39.99},
		{"Paper A4, 500 sheets", "PAP-A4", "Supplies", 4.25}, {"كرسي مكتب", "CHR-200", "Furniture", 210}, {"Assembly", "SRV-ASM", "Services", 60}, {"Cable \"USB-C\" <2 m>", "CBL-002", "Hardware", 12.5},
	} {
		product := f.add("Product2", map[string]any{"Name": p.name, "ProductCode": p.code, "Family": p.family, "IsActive": true, "QuantityUnitOfMeasure": "Each", "StockKeepingUnit": fmt.Sprintf("40000000%04d", i+1), "Description": "Sold by the piece", "External_Id__c": fmt.Sprintf("demo-product-%d", i+1)})
		entries = append(entries, f.add("PricebookEntry", map[string]any{"Pricebook2Id": f.server.StandardPricebookID, "Product2Id": product, "UnitPrice": p.price, "IsActive": true}))
	}
	return entries
}

func (f *filling) sales(accounts, entries []string) {
	book := f.server.StandardPricebookID
	for i := range 6 {
		order := f.add("Order", map[string]any{"AccountId": accounts[i%len(accounts)], "EffectiveDate": fmt.Sprintf("2026-%02d-%02d", i+1, i+3), "Status": "Draft", "Pricebook2Id": book, "PoNumber": fmt.Sprintf("PO-%03d", i), "External_Id__c": fmt.Sprintf("demo-order-%d", i+1)})
		for j := range i%3 + 1 {
			f.add("OrderItem", map[string]any{"OrderId": order, "PricebookEntryId": entries[(i+j)%len(entries)], "Quantity": j + 1, "UnitPrice": 25.5 * float64(j+1)})
		}
		if o := f.server.db.object("Order"); f.err == nil && i%3 == 0 {
			if err := f.tx.update(o, order, changes{o.at("Status"): "Activated"}); err != nil {
				f.err = err
			}
		}
	}
	for i, stage := range []string{"Prospecting", "Proposal/Price Quote", "Closed Won", "Closed Lost"} {
		opportunity := f.add("Opportunity", map[string]any{"Name": fmt.Sprintf("Fit-out %d", i+1), "AccountId": accounts[i], "StageName": stage, "CloseDate": fmt.Sprintf("2026-%02d-15", i+6), "Amount": 1000 * (i + 1)})
		if i == 1 {
			f.add("OpportunityLineItem", map[string]any{"OpportunityId": opportunity, "PricebookEntryId": entries[0], "Quantity": 3})
		}
	}
	f.add("Task", map[string]any{"Subject": "Call back", "WhatId": accounts[0], "Priority": "High", "ActivityDate": "2026-07-01"})
}

func (f *filling) samples() {
	parent := ""
	for i := range 5 {
		values := map[string]any{"Name": fmt.Sprintf("Sample %d", i+1), "Count__c": i * 10, "Ratio__c": float64(i) / 4, "Flag__c": i%2 == 0, "Day__c": fmt.Sprintf("2026-05-%02d", i+1), "Moment__c": fmt.Sprintf("2026-05-%02dT10:30:00Z", i+1), "Kind__c": []string{"small", "medium", "large"}[i%3], "Amount__c": 99.5 * float64(i)}
		if parent != "" {
			values["Parent__c"] = parent
		}
		id := f.add("Sample__c", values)
		if i == 0 {
			parent = id
		}
	}
}
