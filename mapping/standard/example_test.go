package standard_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

// One contact, as each system has it.
func Example() {
	contact := adapter.Record{"name": "Acme", "phone": "+966 11 123", "city": "Riyadh"}
	for _, system := range []string{"odoo", "salesforce", "sap"} {
		plan, err := standard.Set().Compile(system, "17.0", "contact", mapping.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		values, err := plan.Create(context.Background(), contact)
		if err != nil {
			fmt.Println(err)
			return
		}
		delete(values.Record, "to_BusinessPartnerRole")
		delete(values.Record, "to_Customer")
		b, _ := json.Marshal(values.Record)
		fmt.Println(plan.SystemModel(), string(b))
	}
	// Output:
	// res.partner {"city":"Riyadh","name":"Acme","phone":"+966 11 123"}
	// Account {"BillingCity":"Riyadh","Name":"Acme","Phone":"+966 11 123"}
	// API_BUSINESS_PARTNER.A_BusinessPartner {"BusinessPartnerCategory":"2","BusinessPartnerGrouping":"BP02","OrganizationBPName1":"Acme","to_BusinessPartnerAddress":[{"CityName":"Riyadh","to_PhoneNumber":[{"PhoneNumber":"+966 11 123"}]}]}
}

// A company with a sales area of its own changes that alone.
func Example_ownConstants() {
	own, err := mapping.Parse("own.yaml", []byte(`
mapping: sale_order
system: sap
extends: true
set: {SalesOrderType: TA, SalesOrganization: "1710", DistributionChannel: "10", OrganizationDivision: "00"}
fields:
  customer_reference: PurchaseOrderByShipToParty
`), mapping.Over(standard.Set()))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := own.Compile("sap", "", "sale_order", mapping.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := plan.Create(context.Background(), adapter.Record{"partner_id": "1000001", "customer_reference": "PO-1", "delivery_date": "2026-02-01"})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, _ := json.Marshal(values.Record)
	fmt.Println(string(b))
	// Output:
	// {"DistributionChannel":"10","OrganizationDivision":"00","PurchaseOrderByShipToParty":"PO-1","RequestedDeliveryDate":"2026-02-01","SalesOrderType":"TA","SalesOrganization":"1710","SoldToParty":"1000001"}
}
