package salesforcetest

// standardObjects are the objects of an org as it is delivered, in the part
// that integrations meet, and the custom ones that this simulator adds.
func standardObjects() []Object {
	return []Object{
		{Name: "User", KeyPrefix: "005", NotDeletable: true, Fields: mustFields(userFields)},
		{Name: "Profile", KeyPrefix: "00e", NotDeletable: true, Fields: mustFields(profileFields)},
		{Name: "Account", KeyPrefix: "001", Fields: mustFields(accountFields)},
		{Name: "Contact", KeyPrefix: "003", Fields: mustFields(contactFields)},
		{Name: "Lead", KeyPrefix: "00Q", Fields: mustFields(leadFields)},
		{Name: "Opportunity", KeyPrefix: "006", Plural: "Opportunities", Fields: mustFields(opportunityFields)},
		{Name: "OpportunityLineItem", KeyPrefix: "00k", Label: "Opportunity Product", Fields: mustFields(opportunityLineFields)},
		{Name: "Product2", KeyPrefix: "01t", Label: "Product", Fields: mustFields(productFields)},
		{Name: "Pricebook2", KeyPrefix: "01s", Label: "Price Book", Fields: mustFields(pricebookFields)},
		{Name: "PricebookEntry", KeyPrefix: "01u", Label: "Price Book Entry", Plural: "Price Book Entries", Fields: mustFields(pricebookEntryFields)},
		{Name: "Order", KeyPrefix: "801", Fields: mustFields(orderFields)},
		{Name: "OrderItem", KeyPrefix: "802", Label: "Order Product", Fields: mustFields(orderItemFields)},
		{Name: "Task", KeyPrefix: "00T", Fields: mustFields(taskFields)},
		{Name: "ContentDocument", KeyPrefix: "069", NotCreateable: true, Fields: mustFields(documentFields)},
		{Name: "ContentVersion", KeyPrefix: "068", NotDeletable: true, Fields: mustFields(versionFields)},
		{Name: "ContentDocumentLink", KeyPrefix: "06A", Fields: mustFields(documentLinkFields)},
		{Name: "Sample__c", KeyPrefix: "a00", Fields: mustFields(sampleFields)},
	}
}

const profileFields = `
	Name string(255) required name
	UserType restricted(Standard|PowerPartner|CspLitePortal) readonly notnull default=Standard
	Description string(255)
`

const userFields = `
	ProfileId reference(Profile) rel=Profile children=Users
	Username string(80) required unique
	LastName string(80) required
	FirstName string(40)
	Name string(121) readonly name label=Full_Name
	CompanyName string(80)
	Department string(80)
	Title string(80)
	Street textarea(255)
	City string(40)
	State string(80)
	PostalCode string(20)
	Country string(80)
	Email email(128) required
	Phone phone
	MobilePhone phone
	Alias string(8) required
	CommunityNickname string(40) notnull
	IsActive boolean default=true
	TimeZoneSidKey restricted(America/New_York|Europe/London|Europe/Berlin|Asia/Riyadh|GMT) default=GMT notnull
	LocaleSidKey restricted(en_US|en_GB|de_DE|ar_SA) default=en_US notnull
	EmailEncodingKey restricted(UTF-8|ISO-8859-1) default=UTF-8 notnull
	LanguageLocaleKey restricted(en_US|de|ar) default=en_US notnull
	UserType restricted(Standard|PowerPartner|CspLitePortal) readonly notnull default=Standard
	EmployeeNumber string(20)
	ManagerId reference(User) rel=Manager children=ManagedUsers
	LastLoginDate datetime readonly
	FederationIdentifier string(512)
`

const accountFields = `
	Name string(255) required name label=Account_Name
	Type picklist(Prospect|Customer - Direct|Customer - Channel|Channel Partner / Reseller|Installation Partner|Technology Partner|Other) label=Account_Type
	ParentId reference(Account) rel=Parent children=ChildAccounts label=Parent_Account_ID
	BillingStreet textarea(255)
	BillingCity string(40)
	BillingState string(80)
	BillingPostalCode string(20)
	BillingCountry string(80)
	BillingAddress address readonly
	ShippingStreet textarea(255)
	ShippingCity string(40)
	ShippingState string(80)
	ShippingPostalCode string(20)
	ShippingCountry string(80)
	ShippingAddress address readonly
	Phone phone label=Account_Phone
	Fax phone label=Account_Fax
	AccountNumber string(40)
	Website url(255)
	Sic string(20) label=SIC_Code
	Industry picklist(Agriculture|Apparel|Banking|Biotechnology|Chemicals|Communications|Construction|Consulting|Education|Electronics|Energy|Engineering|Finance|Food & Beverage|Government|Healthcare|Hospitality|Insurance|Manufacturing|Media|Not For Profit|Recreation|Retail|Shipping|Technology|Telecommunications|Transportation|Utilities|Other)
	AnnualRevenue currency(18,0)
	NumberOfEmployees int(8) label=Employees
	Ownership picklist(Public|Private|Subsidiary|Other)
	TickerSymbol string(20)
	Description textarea(32000) label=Account_Description
	Rating picklist(Hot|Warm|Cold) label=Account_Rating
	Site string(80) label=Account_Site
	OwnerId reference(User) rel=Owner notnull
	AccountSource picklist(Web|Phone Inquiry|Partner Referral|Purchased List|Other)
	LastActivityDate date readonly
	LastViewedDate datetime readonly
	LastReferencedDate datetime readonly
	Vat_Number__c string(40) label=VAT_Number
	External_Id__c string(80) external unique
`

const contactFields = `
	AccountId reference(Account) rel=Account children=Contacts cascade
	LastName string(80) required
	FirstName string(40)
	Salutation picklist(Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.)
	Name string(121) readonly name label=Full_Name
	OtherStreet textarea(255)
	OtherCity string(40)
	OtherState string(80)
	OtherPostalCode string(20)
	OtherCountry string(80)
	OtherAddress address readonly
	MailingStreet textarea(255)
	MailingCity string(40)
	MailingState string(80)
	MailingPostalCode string(20)
	MailingCountry string(80)
	MailingAddress address readonly
	Phone phone label=Business_Phone
	Fax phone label=Business_Fax
	MobilePhone phone
	HomePhone phone
	OtherPhone phone
	AssistantPhone phone
	ReportsToId reference(Contact) rel=ReportsTo children=ReportsToContacts
	Email email(80)
	Title string(128)
	Department string(80)
	AssistantName string(40)
	LeadSource picklist(Web|Phone Inquiry|Partner Referral|Purchased List|Other)
	Birthdate date
	Description textarea(32000) label=Contact_Description
	OwnerId reference(User) rel=Owner notnull
	HasOptedOutOfEmail boolean default=false
	DoNotCall boolean default=false
	LastActivityDate date readonly
	LastViewedDate datetime readonly
	LastReferencedDate datetime readonly
	External_Id__c string(80) external unique
`

const leadFields = `
	LastName string(80) required
	FirstName string(40)
	Salutation picklist(Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.)
	Name string(121) readonly name label=Full_Name
	Title string(128)
	Company string(255) required
	Street textarea(255)
	City string(40)
	State string(80)
	PostalCode string(20)
	Country string(80)
	Address address readonly
	Phone phone
	MobilePhone phone
	Fax phone
	Email email(80)
	Website url(255)
	Description textarea(32000)
	LeadSource picklist(Web|Phone Inquiry|Partner Referral|Purchased List|Other)
	Status picklist(Open - Not Contacted|Working - Contacted|Closed - Converted|Closed - Not Converted) default=Open_-_Not_Contacted notnull
	Industry picklist(Agriculture|Banking|Construction|Consulting|Education|Energy|Finance|Government|Healthcare|Manufacturing|Retail|Technology|Other)
	Rating picklist(Hot|Warm|Cold)
	AnnualRevenue currency(18,0)
	NumberOfEmployees int(8)
	OwnerId reference(User) rel=Owner notnull
	HasOptedOutOfEmail boolean default=false
	DoNotCall boolean default=false
	IsConverted boolean readonly
	ConvertedDate date readonly
	ConvertedAccountId reference(Account) rel=ConvertedAccount readonly
	ConvertedContactId reference(Contact) rel=ConvertedContact readonly
	ConvertedOpportunityId reference(Opportunity) rel=ConvertedOpportunity readonly
	IsUnreadByOwner boolean default=true
	External_Id__c string(80) external unique
`

const opportunityFields = `
	AccountId reference(Account) rel=Account children=Opportunities cascade
	Name string(120) required name
	Description textarea(32000)
	StageName picklist(Prospecting|Qualification|Needs Analysis|Value Proposition|Id. Decision Makers|Perception Analysis|Proposal/Price Quote|Negotiation/Review|Closed Won|Closed Lost) required label=Stage
	Amount currency(18,2)
	Probability percent(3,0)
	ExpectedRevenue currency(18,2) readonly label=Expected_Amount
	TotalOpportunityQuantity double(18,2)
	CloseDate date required
	Type picklist(Existing Customer - Upgrade|Existing Customer - Replacement|Existing Customer - Downgrade|New Customer) label=Opportunity_Type
	NextStep string(255)
	LeadSource picklist(Web|Phone Inquiry|Partner Referral|Purchased List|Other)
	IsClosed boolean readonly notnull
	IsWon boolean readonly notnull
	ForecastCategoryName picklist(Omitted|Pipeline|Best Case|Commit|Closed)
	HasOpportunityLineItem boolean readonly notnull
	Pricebook2Id reference(Pricebook2) rel=Pricebook2 children=Opportunities label=Price_Book_ID
	ContactId reference(Contact) rel=Contact children=Opportunities createonly
	OwnerId reference(User) rel=Owner notnull
	External_Id__c string(80) external unique
`

const opportunityLineFields = `
	OpportunityId reference(Opportunity) rel=Opportunity children=OpportunityLineItems required createonly cascade
	SortOrder int(9)
	PricebookEntryId reference(PricebookEntry) rel=PricebookEntry children=OpportunityLineItems required createonly restrict
	Product2Id reference(Product2) rel=Product2 children=OpportunityLineItems createonly
	ProductCode string(255) readonly
	Name string(376) readonly name label=Opportunity_Product_Name
	Quantity double(12,2) required
	Discount percent(5,2)
	UnitPrice currency(18,2) label=Sales_Price
	ListPrice currency(18,2) readonly
	Subtotal currency(18,2) readonly
	TotalPrice currency(18,2) 
	ServiceDate date
	Description string(255) label=Line_Description
`

const productFields = `
	Name string(255) required name label=Product_Name
	ProductCode string(255)
	Description textarea(4000) label=Product_Description
	IsActive boolean default=false
	Family picklist(None|Furniture|Hardware|Software|Services|Supplies) label=Product_Family
	ExternalId string(255)
	DisplayUrl url(1000)
	QuantityUnitOfMeasure picklist(Each|Box|Hour|Kilogram|Metre)
	StockKeepingUnit string(180) label=Product_SKU
	IsArchived boolean readonly notnull
	LastViewedDate datetime readonly
	LastReferencedDate datetime readonly
	External_Id__c string(80) external unique
`

const pricebookFields = `
	Name string(255) required name label=Price_Book_Name
	IsActive boolean default=false
	IsArchived boolean readonly notnull
	Description string(255)
	IsStandard boolean readonly notnull label=Is_Standard_Price_Book
`

const pricebookEntryFields = `
	Name string(255) readonly name label=Product_Name
	Pricebook2Id reference(Pricebook2) rel=Pricebook2 children=PricebookEntries required createonly cascade label=Price_Book_ID
	Product2Id reference(Product2) rel=Product2 children=PricebookEntries required createonly cascade label=Product_ID
	UnitPrice currency(18,2) required label=List_Price
	IsActive boolean default=false
	UseStandardPrice boolean default=false
	ProductCode string(255) readonly
	IsArchived boolean readonly notnull
`

const orderFields = `
	OwnerId reference(User) rel=Owner notnull
	AccountId reference(Account) rel=Account children=Orders restrict label=Account_ID
	Pricebook2Id reference(Pricebook2) rel=Pricebook2 children=Orders label=Price_Book_ID
	OriginalOrderId reference(Order) rel=OriginalOrder children=Orders
	EffectiveDate date required label=Order_Start_Date
	EndDate date label=Order_End_Date
	IsReductionOrder boolean default=false
	Status picklist(Draft|Activated) required
	Description textarea(32000)
	CustomerAuthorizedById reference(Contact) rel=CustomerAuthorizedBy
	CompanyAuthorizedById reference(User) rel=CompanyAuthorizedBy
	Type picklist(Web|Phone|Partner) label=Order_Type
	BillingStreet textarea(255)
	BillingCity string(40)
	BillingState string(80)
	BillingPostalCode string(20)
	BillingCountry string(80)
	BillingAddress address readonly
	ShippingStreet textarea(255)
	ShippingCity string(40)
	ShippingState string(80)
	ShippingPostalCode string(20)
	ShippingCountry string(80)
	ShippingAddress address readonly
	Name string(80) label=Order_Name
	PoDate date
	PoNumber string(80)
	OrderReferenceNumber string(80)
	BillToContactId reference(Contact) rel=BillToContact
	ShipToContactId reference(Contact) rel=ShipToContact
	ActivatedDate datetime readonly
	ActivatedById reference(User) rel=ActivatedBy readonly
	StatusCode restricted(Draft|Activated) readonly notnull
	OrderNumber string(30) name number={00000000}
	TotalAmount currency(18,2) readonly notnull label=Order_Amount
	LastViewedDate datetime readonly
	LastReferencedDate datetime readonly
	External_Id__c string(80) external unique
`

const orderItemFields = `
	Product2Id reference(Product2) rel=Product2 children=OrderItems createonly label=Product_ID
	OrderId reference(Order) rel=Order children=OrderItems required createonly cascade
	PricebookEntryId reference(PricebookEntry) rel=PricebookEntry children=OrderItems required createonly restrict label=Price_Book_Entry_ID
	OriginalOrderItemId reference(OrderItem) rel=OriginalOrderItem children=ChildOrderItems createonly
	AvailableQuantity double(16,2) readonly
	Quantity double(16,2) required
	UnitPrice currency(18,2) required
	ListPrice currency(18,2) readonly
	TotalPrice currency(18,2) readonly
	ServiceDate date label=Start_Date
	EndDate date
	Description string(255) label=Line_Description
	OrderItemNumber string(30) name number={0000000000} label=Order_Product_Number
	External_Id__c string(80) external unique
`

const taskFields = `
	WhoId reference(Contact|Lead) rel=Who label=Name_ID
	WhatId reference(Account|Opportunity|Order|Product2|Sample__c) rel=What label=Related_To_ID
	Subject string(255) name
	ActivityDate date label=Due_Date_Only
	Status picklist(Not Started|In Progress|Completed|Waiting on someone else|Deferred) default=Not_Started notnull
	Priority picklist(High|Normal|Low) default=Normal notnull
	IsHighPriority boolean readonly notnull
	OwnerId reference(User) rel=Owner notnull label=Assigned_To_ID
	Description textarea(32000)
	Type picklist(Call|Email|Meeting|Other)
	IsClosed boolean readonly notnull
	AccountId reference(Account) rel=Account children=Tasks readonly
	CompletedDateTime datetime readonly
	ReminderDateTime datetime
	IsReminderSet boolean default=false
`

const documentFields = `
	OwnerId reference(User) rel=Owner notnull
	Title string(255) notnull name
	Description textarea(1000)
	FileType string(20) readonly notnull
	FileExtension string(40) readonly
	ContentSize int(9) readonly
	LatestPublishedVersionId reference(ContentVersion) rel=LatestPublishedVersion readonly
	ParentId reference(Account) rel=Parent readonly
	PublishStatus restricted(P|R|U) readonly notnull
	IsArchived boolean readonly notnull
`

const versionFields = `
	ContentDocumentId reference(ContentDocument) rel=ContentDocument children=ContentVersions createonly cascade
	IsLatest boolean readonly notnull
	ContentUrl url(1333) createonly
	VersionNumber string(20) readonly
	Title string(255) notnull name
	Description textarea(1000)
	ReasonForChange string(1000)
	PathOnClient string(500) createonly
	ContentLocation restricted(S|E|L) createonly default=S notnull
	Origin restricted(C|H) createonly default=C notnull
	OwnerId reference(User) rel=Owner notnull
	FileType string(20) readonly notnull
	FileExtension string(40) readonly
	PublishStatus restricted(P|R|U) readonly notnull
	VersionData base64 createonly
	ContentSize int(9) readonly
	Checksum string(50) readonly
	FirstPublishLocationId reference(User|Account|Contact|Lead|Opportunity|Order|OrderItem|Product2|Task|Sample__c) rel=FirstPublishLocation createonly
	IsMajorVersion boolean createonly default=true
`

const documentLinkFields = `
	LinkedEntityId reference(User|Account|Contact|Lead|Opportunity|Order|OrderItem|Product2|Task|Sample__c) rel=LinkedEntity children=ContentDocumentLinks required createonly cascade
	ContentDocumentId reference(ContentDocument) rel=ContentDocument children=ContentDocumentLinks required createonly cascade
	ShareType restricted(V|C|I) default=V
	Visibility restricted(AllUsers|InternalUsers|SharedUsers) default=AllUsers
`

// sampleFields have one of each type, for conformance suites.
const sampleFields = `
	OwnerId reference(User) rel=Owner notnull
	Name string(80) required name label=Sample_Name
	Note__c textarea(32768)
	Code__c string(40)
	Count__c double(9,0)
	Ratio__c double(16,4)
	Amount__c currency(18,2)
	Share__c percent(5,2)
	Flag__c boolean default=false
	Day__c date
	Moment__c datetime
	Kind__c restricted(small|medium|large)
	Tags__c multipicklist(red|green|blue)
	Mail__c email
	Phone__c phone
	Link__c url(255)
	Parent__c reference(Sample__c) rel=Parent__r children=Children__r
	Number__c string(30) number=S-{00000}
	External_Id__c string(80) external unique
`
