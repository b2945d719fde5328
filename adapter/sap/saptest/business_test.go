package saptest

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBusinessPartners(t *testing.T) {
	b := open(t, Config{})
	r := b.send("POST", partnerAPI+"A_BusinessPartner", `{"BusinessPartnerCategory":"2","OrganizationBPName1":"Juniper","OrganizationBPName2":"Books",
		"to_BusinessPartnerRole":{"results":[{"BusinessPartnerRole":"FLCU01"}]},
		"to_BusinessPartnerTax":[{"BPTaxType":"DE0","BPTaxNumber":"DE1"}],
		"to_BusinessPartnerAddress":[{"Country":"DE","CityName":"Köln","to_EmailAddress":[{"EmailAddress":"a@juniper.example"},{"EmailAddress":"b@juniper.example"}],
			"to_PhoneNumber":[{"PhoneNumber":"+49 221 1"}],"to_MobilePhoneNumber":[{"PhoneNumber":"+49 170 1"}],"to_URLAddress":[{"WebsiteURL":"https://juniper.example"}]}]}`).want(201)
	id, _ := r.at("d/BusinessPartner").(string)
	assert.Len(t, id, 10)
	assert.Equal(t, "Juniper Books", r.at("d/BusinessPartnerFullName"))
	assert.Equal(t, id, r.at("d/Customer"), "a customer by its role")
	assert.Equal(t, "true", fmt.Sprint(r.at("d/to_BusinessPartnerAddress/results/0/to_EmailAddress/results/0/IsDefaultEmailAddress")))
	r = b.get(partnerAPI + "A_BusinessPartner('" + id + "')?$expand=to_BusinessPartnerAddress/to_MobilePhoneNumber,to_BusinessPartnerAddress/to_PhoneNumber,to_Customer").want(200)
	assert.Equal(t, "3", r.at("d/to_BusinessPartnerAddress/results/0/to_MobilePhoneNumber/results/0/PhoneNumberType"))
	assert.Len(t, r.at("d/to_BusinessPartnerAddress/results/0/to_PhoneNumber/results"), 1)
	assert.Equal(t, "Juniper Books", r.at("d/to_Customer/CustomerName"))

	address := partnerAPI + "A_BusinessPartner('" + id + "')"
	b.send("PATCH", address, `{"OrganizationBPName2":""}`).want(428)
	b.send("PATCH", address, `{"OrganizationBPName2":""}`, "If-Match", r.header.Get("ETag")).want(204)
	assert.Equal(t, "Juniper", b.get(address).at("d/BusinessPartnerFullName"))
	b.send("DELETE", address, "", "If-Match", "*").want(405)

	before := b.s.Count("API_BUSINESS_PARTNER.A_BusinessPartner")
	for body, target := range map[string]string{
		`{}`: "BusinessPartnerCategory", `{"BusinessPartnerCategory":"2"}`: "OrganizationBPName1",
		`{"BusinessPartnerCategory":"2","OrganizationBPName1":"x","FirstName":"y"}`:                                                                            "FirstName",
		`{"BusinessPartnerCategory":"1","LastName":"x","OrganizationBPName1":"y"}`:                                                                             "OrganizationBPName1",
		`{"BusinessPartnerCategory":"2","OrganizationBPName1":"x","BusinessPartnerFullName":"y"}`:                                                              "BusinessPartnerFullName",
		`{"BusinessPartnerCategory":"2","OrganizationBPName1":"x","to_BusinessPartnerAddress":[{"CityName":"y"}]}`:                                             "Country",
		`{"BusinessPartnerCategory":"2","OrganizationBPName1":"x","to_BusinessPartnerAddress":[{"Country":"DE","to_EmailAddress":[{"EmailAddress":"nope"}]}]}`: "EmailAddress",
	} {
		r := b.send("POST", partnerAPI+"A_BusinessPartner", body).want(400)
		assert.Equal(t, target, r.at("error/innererror/errordetails/0/target"), body)
	}
	assert.Equal(t, before, b.s.Count("API_BUSINESS_PARTNER.A_BusinessPartner"), "all or none")
}

func TestProducts(t *testing.T) {
	b := open(t, Config{})
	b.send("POST", productAPI+"A_Product", `{"Product":"abc-1","ProductType":"HAWA","BaseUnit":"PC","to_Description":[{"Language":"EN","ProductDescription":"Thing"},{"Language":"DE","ProductDescription":"Ding"}]}`).want(201)
	r := b.get(productAPI + "A_Product('ABC-1')?$expand=to_Description,to_ProductUnitsOfMeasure").want(200)
	assert.Len(t, r.at("d/to_Description/results"), 2)
	assert.Equal(t, "PC", r.at("d/to_ProductUnitsOfMeasure/results/0/AlternativeUnit"))
	for _, body := range []string{`{"ProductType":"HAWA","BaseUnit":"PC"}`, `{"Product":"X","ProductType":"NOPE","BaseUnit":"PC"}`, `{"Product":"X","ProductType":"HAWA"}`, `{"Product":"X","ProductType":"HAWA","BaseUnit":"XX"}`,
		`{"Product":"X","ProductType":"HAWA","BaseUnit":"PC","ProductGroup":"NOPE"}`, `{"Product":"ABC-1","ProductType":"HAWA","BaseUnit":"PC"}`, `{"Product":"X","ProductType":"HAWA","BaseUnit":"PC","CreationDate":"/Date(0)/"}`} {
		b.send("POST", productAPI+"A_Product", body).want(400)
	}
	b.send("PATCH", productAPI+"A_Product('ABC-1')", `{"BaseUnit":"KG"}`, "If-Match", "*").want(400)
}

const orderBody = `{"SalesOrderType":"OR","SalesOrganization":"1010","DistributionChannel":"10","OrganizationDivision":"00","SoldToParty":"1000000001","PurchaseOrderByCustomer":"P-1",
	"to_Item":[{"Material":"DSK-100","RequestedQuantity":"2","to_PricingElement":[{"ConditionType":"PR00","ConditionRateValue":"10.50"},{"ConditionType":"RA01","ConditionRateValue":"10"}]},
	{"Material":"4711","RequestedQuantity":"3"}]}`

func TestSalesOrders(t *testing.T) {
	b := open(t, Config{})
	r := b.send("POST", salesAPI+"A_SalesOrder?sap-language=DE", orderBody).want(201)
	id, _ := r.at("d/SalesOrder").(string)
	assert.Equal(t, "28.50", r.at("d/TotalNetAmount"), "2 x 10.50 - 10 % + 3 x 3.20")
	assert.Equal(t, "10", r.at("d/to_Item/results/0/SalesOrderItem"))
	assert.Equal(t, "Schreibtisch Nussbaum", r.at("d/to_Item/results/0/SalesOrderItemText"))
	assert.Equal(t, "18.90", r.at("d/to_Item/results/0/NetAmount"))
	assert.Equal(t, "-2.10", r.at("d/to_Item/results/0/to_PricingElement/results/00/ConditionAmount"))
	assert.Equal(t, "9.60", r.at("d/to_Item/results/00/NetAmount"), "the product's price")
	assert.Equal(t, "A", r.at("d/OverallSDProcessStatus"))
	tag := r.header.Get("ETag")

	// The same order in version 4, with that version's names.
	four := b.get(salesV4 + "SalesOrder('" + id + "')?$expand=" + q("_Item($select=Product,NetAmount)")).want(200)
	assert.Equal(t, "DSK-100", four.at("_Item/0/Product"))
	assert.Equal(t, "18.90", fmt.Sprint(four.at("_Item/0/NetAmount")))
	assert.Len(t, b.get(salesAPI+"A_SalesOrder('"+id+"')/to_Partner").list("PartnerFunction"), 4)

	item := b.send("POST", salesAPI+"A_SalesOrder('"+id+"')/to_Item", `{"Material":"LMP-010","RequestedQuantity":"1"}`).want(201)
	assert.Equal(t, "30", item.at("d/SalesOrderItem"))
	b.send("POST", salesAPI+"A_SalesOrderItem", `{"SalesOrder":"`+id+`","Material":"LMP-010","RequestedQuantity":"1"}`).want(400)
	fresh := b.get(salesAPI + "A_SalesOrder('" + id + "')").want(200)
	assert.Equal(t, "68.49", fresh.at("d/TotalNetAmount"))
	assert.NotEqual(t, tag, fresh.header.Get("ETag"), "an item changes its order")
	b.send("PATCH", salesAPI+"A_SalesOrderItem(SalesOrder='"+id+"',SalesOrderItem='20')", `{"RequestedQuantity":"10"}`).want(204)
	b.send("PATCH", salesAPI+"A_SalesOrderItem(SalesOrder='"+id+"',SalesOrderItem='30')", `{"SalesDocumentRjcnReason":"02"}`).want(204)
	fresh = b.get(salesAPI + "A_SalesOrder('" + id + "')").want(200)
	assert.Equal(t, "50.90", fresh.at("d/TotalNetAmount"))
	assert.Equal(t, "B", fresh.at("d/OverallSDDocumentRejectionSts"))
	b.send("PATCH", salesAPI+"A_SalesOrder('"+id+"')", `{"TotalNetAmount":"1"}`, "If-Match", "*").want(400)

	for _, change := range [][2]string{{`"1000000001"`, `"99"`}, {`"DSK-100"`, `"NOPE"`}, {`"2"`, `"0"`}, {`"PR00"`, `"XXXX"`}, {`"OR"`, `"XX"`}, {`"RequestedQuantity":"3"`, `"RequestedQuantity":"3","RequestedQuantityUnit":"KG"`}} {
		b.send("POST", salesAPI+"A_SalesOrder", strings.Replace(orderBody, change[0], change[1], 1)).want(400)
	}
	many := b.send("POST", salesAPI+"A_SalesOrder", `{}`).want(400)
	assert.Len(t, many.at("error/innererror/errordetails"), 3)
	four = b.send("POST", salesV4+"SalesOrder", `{}`).want(400)
	assert.Equal(t, "SalesOrderType", four.at("error/target"))
	assert.Len(t, four.at("error/details"), 3)

	b.send("DELETE", salesAPI+"A_SalesOrder('"+id+"')", "", "If-Match", "*").want(204)
	assert.Empty(t, b.get(salesAPI+"A_SalesOrderItem?$filter="+q("SalesOrder eq '"+id+"'")).list("SalesOrderItem"))
	made := b.send("POST", salesV4+"SalesOrder", `{"SalesOrderType":"OR","SalesOrganization":"1010","DistributionChannel":"10","OrganizationDivision":"00","SoldToParty":"1000000001","_Item":[{"Product":"DSK-100","RequestedQuantity":1}]}`).want(201)
	assert.Equal(t, "480.00", fmt.Sprint(made.at("TotalNetAmount")))
}

func TestApproval(t *testing.T) {
	b := open(t, Config{})
	waiting := b.get(salesAPI + "A_SalesOrder?$filter=" + q("SalesDocApprovalStatus eq 'A'")).list("SalesOrder")
	require.Len(t, waiting, 1)
	id := waiting[0].(string)
	b.send("POST", salesAPI+"rejectApprovalRequest", "").want(400)
	b.send("GET", salesAPI+"rejectApprovalRequest?SalesOrder='"+id+"'", "").want(405)
	r := b.send("POST", salesAPI+"rejectApprovalRequest?SalesOrder='"+id+"'", "").want(200)
	assert.Equal(t, true, r.at("d/rejectApprovalRequest/Result"))
	b.send("POST", salesAPI+"releaseApprovalRequest?SalesOrder='"+id+"'", "").want(400)
	action := salesV4 + "SalesOrder('" + id + "')/com.sap.gateway.srvd_a2x.api_salesorder.v0001.ReleaseApprovalRequest"
	b.send("POST", action, `{}`).want(428)
	b.send("POST", action, `{}`, "If-Match", "*").want(400)
}

func TestBilling(t *testing.T) {
	b := open(t, Config{})
	number, err := b.s.Invoice("2")
	require.NoError(t, err)
	r := b.get(billingAPI + "A_BillingDocument('" + number + "')?$expand=to_Item/to_PricingElement").want(200)
	assert.Equal(t, "M", r.at("d/SDDocumentCategory"))
	assert.Equal(t, "2", r.at("d/to_Item/results/0/SalesDocument"))
	assert.Equal(t, "PR00", r.at("d/to_Item/results/0/to_PricingElement/results/0/ConditionType"))
	b.send("DELETE", salesAPI+"A_SalesOrder('2')", "", "If-Match", "*").want(400)
	cancelled := b.send("POST", billingAPI+"Cancel?BillingDocument='"+number+"'", "").want(200)
	assert.NotEqual(t, number, cancelled.at("d/results/0/BillingDocument"))
	assert.Equal(t, true, b.get(billingAPI+"A_BillingDocument('"+number+"')").at("d/BillingDocumentIsCancelled"))
	b.send("POST", billingAPI+"Cancel?BillingDocument='"+number+"'", "").want(400)
	b.send("POST", billingAPI+"Cancel?BillingDocument='1'", "").want(404)
	pdf, err := base64.StdEncoding.DecodeString(fmt.Sprint(b.get(billingAPI + "GetPDF?BillingDocument='" + number + "'").at("d/GetPDF/BillingDocumentBinary")))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(pdf), "%PDF-"))
	_, err = b.s.Invoice("nope")
	assert.Error(t, err)
}

func TestGoodsMovements(t *testing.T) {
	b := open(t, Config{})
	stock := func(material, location string) string {
		list := b.get(stockAPI + "A_MatlStkInAcctMod?$filter=" + q("Material eq '"+material+"' and StorageLocation eq '"+location+"'")).list("MatlWrhsStkQtyInMatlBaseUnit")
		if len(list) == 0 {
			return ""
		}
		return fmt.Sprint(list[0])
	}
	post := func(kind, quantity, more string) *reply {
		return b.send("POST", moveAPI+"A_MaterialDocumentHeader", `{"GoodsMovementCode":"03","to_MaterialDocumentItem":[{"Material":"DSK-100","Plant":"1010","StorageLocation":"101A","GoodsMovementType":"`+kind+`","QuantityInEntryUnit":"`+quantity+`"`+more+`}]}`)
	}
	assert.Equal(t, "100.000", stock("DSK-100", "101A"))
	r := post("601", "30", "").want(201)
	assert.Equal(t, "70.000", stock("DSK-100", "101A"))
	assert.Equal(t, "H", r.at("d/to_MaterialDocumentItem/results/0/DebitCreditCode"))
	post("311", "20", `,"IssuingOrReceivingStorageLoc":"101B"`).want(201)
	assert.Equal(t, "50.000", stock("DSK-100", "101A"))
	assert.Equal(t, "20.000", stock("DSK-100", "101B"))
	assert.Equal(t, "M7/021", post("601", "50.001", "").want(400).at("error/code"))
	assert.Equal(t, "50.000", stock("DSK-100", "101A"))
	for _, wrong := range []string{"999", ""} {
		post(wrong, "1", "").want(400)
	}
	post("561", "0", "").want(400)
	post("561", "1", `,"EntryUnit":"KG"`).want(400)
	post("311", "1", "").want(400)
	b.send("POST", moveAPI+"A_MaterialDocumentHeader", `{"GoodsMovementCode":"03"}`).want(400)
	key := fmt.Sprintf("MaterialDocumentYear='%v'&MaterialDocument='%v'", r.at("d/MaterialDocumentYear"), r.at("d/MaterialDocument"))
	b.send("POST", moveAPI+"Cancel?"+key, "").want(200)
	assert.Equal(t, "80.000", stock("DSK-100", "101A"))
	b.send("POST", moveAPI+"Cancel?"+key, "").want(400)
	assert.Equal(t, "80.000", stock("DSK-100", "101A"))
	header := b.get(moveAPI + "A_MaterialDocumentItem?$top=1&$expand=to_MaterialDocumentHeader").want(200)
	assert.NotNil(t, header.at("d/results/0/to_MaterialDocumentHeader/PostingDate"))
}

func TestAttachments(t *testing.T) {
	b := open(t, Config{})
	name := "naïve “file” 文.txt"
	content := "\x00\xff\r\n" + strings.Repeat("x", 1000)
	head := []string{"Slug", url.PathEscape(name), "BusinessObjectTypeName", "BUS2032", "LinkedSAPObjectKey", "0000000001", "Content-Type", "text/plain"}
	r := b.send("POST", filesAPI+"AttachmentContentSet", content, head...).want(201)
	assert.Equal(t, name, r.at("d/FileName"))
	assert.Equal(t, "1004", r.at("d/FileSize"))
	src := strings.TrimPrefix(fmt.Sprint(r.at("d/__metadata/media_src")), b.s.URL)
	got := b.get(src).want(200)
	assert.Equal(t, content, got.body)
	assert.Equal(t, "text/plain", got.header.Get("Content-Type"))
	list := b.get(filesAPI + "GetAllOriginals?BusinessObjectTypeName='BUS2032'&LinkedSAPObjectKey='0000000001'").list("FileName")
	assert.Equal(t, []any{name}, list)
	assert.Equal(t, "1", b.get(filesAPI+"GetAttachmentCount?LinkedSAPObjectKey='0000000001'").at("d/GetAttachmentCount/AttachmentCount"))
	assert.Empty(t, b.get(filesAPI+"GetAllOriginals?LinkedSAPObjectKey='2'").list("FileName"))
	b.send("POST", filesAPI+"AttachmentContentSet", "x", head[2:]...).want(400)
	b.send("POST", filesAPI+"AttachmentContentSet", "x", head[:2]...).want(400)
	id := r.at("d/ArchiveDocumentID")
	b.send("POST", filesAPI+fmt.Sprintf("RenameAttachment?ArchiveDocumentID='%v'&FileName='new.txt'", id), "").want(200)
	b.send("DELETE", strings.TrimSuffix(src, "/$value"), "", "If-Match", "*").want(204)
	assert.Empty(t, b.get(filesAPI+"GetAllOriginals?LinkedSAPObjectKey='0000000001'").list("FileName"))

	// A media entity set of one's own, in version 4.
	made := b.send("POST", sampleV4+"Files", "one", "Slug", "a.bin", "Content-Type", "image/png").want(201)
	assert.Equal(t, "image/png", made.at("@odata.mediaContentType"))
	address := strings.TrimPrefix(made.header.Get("Location"), b.s.URL) + "/$value"
	b.send("PUT", address, "two", "Content-Type", "image/gif").want(204)
	assert.Equal(t, "two", b.get(address).body)
}
