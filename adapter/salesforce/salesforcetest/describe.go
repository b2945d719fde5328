package salesforcetest

import "strings"

// soapType is the type of a field as XML Schema names it.
func soapType(f *Field) string {
	switch f.Type {
	case TypeID, TypeReference:
		return "tns:ID"
	case TypeBoolean, TypeInt, TypeDouble, TypeDate:
		return "xsd:" + f.Type
	case TypeCurrency, TypePercent:
		return "xsd:double"
	case TypeDateTime:
		return "xsd:dateTime"
	case TypeBase64:
		return "xsd:base64Binary"
	case TypeAddress:
		return "urn:address"
	}
	return "xsd:string"
}

// describe is the whole definition of an object as the API tells it.
func (s *Server) describe(o *object) members {
	m := members{{"actionOverrides", []any{}}, {"activateable", false}, {"associateEntityType", nil}, {"associateParentEntity", nil}}
	var children []members
	for _, c := range o.children {
		f := &c.object.Fields[c.field]
		children = append(children, members{
			{"cascadeDelete", f.Cascade}, {"childSObject", c.object.Name}, {"deprecatedAndHidden", false}, {"field", f.Name},
			{"junctionIdListNames", []any{}}, {"junctionReferenceTo", []any{}}, {"relationshipName", orNil(c.name)}, {"restrictedDelete", f.Restrict},
		})
	}
	var fields []members
	for i := range o.Fields {
		fields = append(fields, s.describeField(o, &o.Fields[i]))
	}
	m = append(m, member{"childRelationships", children}, member{"compactLayoutable", true})
	m = append(m, s.summary(o)...)
	base := s.base() + "/sobjects/" + o.Name
	return append(m,
		member{"fields", fields},
		member{"listviewable", nil}, member{"lookupLayoutable", nil}, member{"namedLayoutInfos", []any{}}, member{"networkScopeFieldName", nil},
		member{"recordTypeInfos", []members{{
			{"active", true}, {"available", true}, {"defaultRecordTypeMapping", true}, {"developerName", "Master"}, {"master", true}, {"name", "Master"},
			{"recordTypeId", longID("012000000000000")}, {"urls", members{{"layout", base + "/describe/layouts/" + longID("012000000000000")}}},
		}}},
		member{"searchLayoutable", true}, member{"sobjectDescribeOption", "FULL"}, member{"supportedScopes", []members{{{"label", "All " + strings.ToLower(o.Plural)}, {"name", "everything"}}}},
	)
}

// summary is what the list of objects tells of one.
func (s *Server) summary(o *object) members {
	base := s.base() + "/sobjects/" + o.Name
	return members{
		{"createable", !o.NotCreateable}, {"custom", o.custom}, {"customSetting", false}, {"deepCloneable", false}, {"deletable", !o.NotDeletable}, {"deprecatedAndHidden", false},
		{"feedEnabled", false}, {"hasSubtypes", false}, {"isInterface", false}, {"isSubtype", false}, {"keyPrefix", o.KeyPrefix}, {"label", o.Label}, {"labelPlural", o.Plural},
		{"layoutable", true}, {"mergeable", false}, {"mruEnabled", true}, {"name", o.Name}, {"queryable", true}, {"replicateable", true}, {"retrieveable", true},
		{"searchable", true}, {"triggerable", true}, {"undeletable", true}, {"updateable", !o.NotUpdateable},
		{"urls", members{{"sobject", base}, {"describe", base + "/describe"}, {"rowTemplate", base + "/{ID}"}}},
	}
}

func (s *Server) describeField(o *object, f *Field) members {
	length := 0
	if f.isText() {
		length = f.Length
	}
	if f.Type == TypeID || f.Type == TypeReference {
		length = 18
	}
	digits, precision, scale := 0, 0, 0
	switch {
	case f.Type == TypeInt:
		digits = max(f.Length, 9)
	case f.isNumber():
		precision, scale = f.Precision, f.Scale
	}
	var relationship any
	if f.Relationship != "" {
		relationship = f.Relationship
	}
	references := f.ReferenceTo
	if references == nil {
		references = []string{}
	}
	values := []members{}
	for _, v := range f.Values {
		values = append(values, members{{"active", true}, {"defaultValue", f.Default == v}, {"label", v}, {"validFor", nil}, {"value", v}})
	}
	defaulted := f.Default != nil || f.Type == TypeBoolean || f.Name == "OwnerId" || f.ReadOnly && f.NotNull || f.AutoNumber != "" || f.Type == TypeID
	var compound any
	for _, suffix := range []string{"Street", "City", "State", "PostalCode", "Country"} {
		if prefix, ok := strings.CutSuffix(f.Name, suffix); ok && o.at(prefix+"Address") >= 0 {
			compound = o.Fields[o.at(prefix+"Address")].Name
		}
	}
	return members{
		{"aggregatable", f.filterable()}, {"aiPredictionField", false}, {"autoNumber", f.AutoNumber != ""}, {"byteLength", length * 3}, {"calculated", false}, {"calculatedFormula", nil},
		{"cascadeDelete", f.Cascade}, {"caseSensitive", f.CaseSensitive}, {"compoundFieldName", compound}, {"controllerName", nil}, {"createable", f.createable() && !o.NotCreateable},
		{"custom", f.custom()}, {"defaultValue", defaultValue(f)}, {"defaultValueFormula", nil}, {"defaultedOnCreate", defaulted}, {"dependentPicklist", false}, {"deprecatedAndHidden", false},
		{"digits", digits}, {"displayLocationInDecimal", false}, {"encrypted", false}, {"externalId", f.ExternalID}, {"extraTypeInfo", nil}, {"filterable", f.filterable()},
		{"filteredLookupInfo", nil}, {"formulaTreatNullNumberAsZero", false}, {"groupable", f.filterable() && !f.isNumber() && f.Type != TypeDateTime && f.Type != TypeMultiPicklist}, {"highScaleNumber", false}, {"htmlFormatted", false},
		{"idLookup", f.Type == TypeID || f.ExternalID || f.Type == TypeEmail && f.Name == "Email"}, {"inlineHelpText", nil}, {"label", f.Label}, {"length", length}, {"mask", nil}, {"maskType", nil}, {"name", f.Name}, {"nameField", f.NameField},
		{"namePointing", len(f.ReferenceTo) > 1}, {"nillable", f.nillable()}, {"permissionable", f.nillable()}, {"picklistValues", values}, {"polymorphicForeignKey", len(f.ReferenceTo) > 1}, {"precision", precision},
		{"queryByDistance", f.Type == TypeAddress}, {"referenceTargetField", nil}, {"referenceTo", references}, {"relationshipName", relationship}, {"relationshipOrder", nil}, {"restrictedDelete", f.Restrict},
		{"restrictedPicklist", f.Restricted}, {"scale", scale}, {"searchPrefilterable", f.Type == TypeReference}, {"soapType", soapType(f)}, {"sortable", f.sortable()}, {"type", f.Type}, {"unique", f.Unique},
		{"updateable", f.updateable() && !o.NotUpdateable}, {"writeRequiresMasterRead", false},
	}
}

func defaultValue(f *Field) any {
	if f.Type == TypeBoolean {
		return f.Default == true
	}
	return f.Default
}
