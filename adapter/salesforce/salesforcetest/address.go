package salesforcetest

import (
	"slices"
	"strings"
)

// The org has its state and country picklists on: a country is kept by name
// and by code, and each follows the other. So is a state, in the countries
// whose states the org knows.

const countryList = `AE United Arab Emirates|AF Afghanistan|AL Albania|AM Armenia|AO Angola|AR Argentina|AT Austria|AU Australia|AZ Azerbaijan|BA Bosnia and Herzegovina|BD Bangladesh|BE Belgium|BG Bulgaria|BH Bahrain|BO Bolivia, Plurinational State of|BR Brazil|BY Belarus|CA Canada|CH Switzerland|CI Cote d'Ivoire|CL Chile|CM Cameroon|CN China|CO Colombia|CR Costa Rica|CU Cuba|CY Cyprus|CZ Czech Republic|DE Germany|DK Denmark|DO Dominican Republic|DZ Algeria|EC Ecuador|EE Estonia|EG Egypt|ES Spain|ET Ethiopia|FI Finland|FR France|GB United Kingdom|GE Georgia|GH Ghana|GR Greece|GT Guatemala|HK Hong Kong|HN Honduras|HR Croatia|HU Hungary|ID Indonesia|IE Ireland|IL Israel|IN India|IQ Iraq|IR Iran, Islamic Republic of|IS Iceland|IT Italy|JM Jamaica|JO Jordan|JP Japan|KE Kenya|KR Korea, Republic of|KW Kuwait|KZ Kazakhstan|LB Lebanon|LI Liechtenstein|LK Sri Lanka|LT Lithuania|LU Luxembourg|LV Latvia|LY Libya|MA Morocco|MC Monaco|MD Moldova, Republic of|ME Montenegro|MK North Macedonia|MT Malta|MU Mauritius|MX Mexico|MY Malaysia|MZ Mozambique|NG Nigeria|NI Nicaragua|NL Netherlands|NO Norway|NP Nepal|NZ New Zealand|OM Oman|PA Panama|PE Peru|PH Philippines|PK Pakistan|PL Poland|PS Palestine|PT Portugal|PY Paraguay|QA Qatar|RO Romania|RS Serbia|RU Russian Federation|SA Saudi Arabia|SD Sudan|SE Sweden|SG Singapore|SI Slovenia|SK Slovakia|SN Senegal|SV El Salvador|SY Syrian Arab Republic|TH Thailand|TN Tunisia|TR Turkey|TW Taiwan|TZ Tanzania, United Republic of|UA Ukraine|UG Uganda|US United States|UY Uruguay|UZ Uzbekistan|VE Venezuela, Bolivarian Republic of|VN Vietnam|YE Yemen|ZA South Africa|ZM Zambia|ZW Zimbabwe`

var stateLists = map[string]string{
	"US": `AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|WV West Virginia|WI Wisconsin|WY Wyoming`,
	"CA": `AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|NT Northwest Territories|NS Nova Scotia|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec|SK Saskatchewan|YT Yukon Territories`,
	"AU": `ACT Australian Capital Territory|NSW New South Wales|NT Northern Territory|QLD Queensland|SA South Australia|TAS Tasmania|VIC Victoria|WA Western Australia`,
	"DE": `BW Baden-Württemberg|BY Bavaria|BE Berlin|BB Brandenburg|HB Bremen|HH Hamburg|HE Hesse|MV Mecklenburg-Vorpommern|NI Lower Saxony|NW North Rhine-Westphalia|RP Rhineland-Palatinate|SL Saarland|SN Saxony|ST Saxony-Anhalt|SH Schleswig-Holstein|TH Thuringia`,
	"GB": `ENG England|NIR Northern Ireland|SCT Scotland|WLS Wales`,
	"SA": `01 Riyadh|02 Makkah|03 Madinah|04 Eastern Province|05 Qassim|06 Hail|07 Tabuk|08 Northern Borders|09 Jazan|10 Najran|11 Bahah|12 Jawf|14 Asir`,
}

// place is a country or a state.
type place struct{ code, name string }

func places(list string) []place {
	var all []place
	for entry := range strings.SplitSeq(list, "|") {
		if code, name, ok := strings.Cut(entry, " "); ok {
			all = append(all, place{code, name})
		}
	}
	return all
}

var (
	countries = places(countryList)
	states    = func() map[string][]place {
		all := map[string][]place{}
		for country, list := range stateLists {
			all[country] = places(list)
		}
		return all
	}()
)

// stateCodes are the codes of all states, whichever their country.
var stateCodes = func() []string {
	var list []string
	for _, all := range states {
		list = append(list, codes(all)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}()

func codes(all []place) []string {
	list := make([]string, len(all))
	for i, p := range all {
		list[i] = p.code
	}
	return list
}

// addressCodes adds the fields of codes behind each country and state of an
// object that has addresses.
func addressCodes(fields []Field) []Field {
	var out []Field
	for _, f := range fields {
		out = append(out, f)
		switch {
		case f.Type == TypeString && strings.HasSuffix(f.Name, "Country"):
			out = append(out, Field{Name: f.Name + "Code", Label: labelOf(f.Name) + "/Territory Code", Type: TypePicklist, Length: 10, Values: codes(countries), Restricted: true})
		case f.Type == TypeString && strings.HasSuffix(f.Name, "State"):
			out = append(out, Field{Name: f.Name + "Code", Label: labelOf(f.Name) + "/Province Code", Type: TypePicklist, Length: 10, Values: stateCodes, Restricted: true})
		}
	}
	return out
}

// settleAddresses makes names and codes of an address agree, and is an error if they
// can't.
func (o *object) settleAddresses(old, r row) *apiError {
	for i := range o.Fields {
		prefix, ok := strings.CutSuffix(o.Fields[i].Name, "CountryCode")
		if !ok {
			continue
		}
		if err := o.settle(old, r, o.at(prefix+"Country"), i, countries, "country"); err != nil {
			return err
		}
		state := o.at(prefix + "State")
		code := o.at(prefix + "StateCode")
		if state < 0 || code < 0 || r[state] == nil && r[code] == nil {
			continue
		}
		if r[i] == nil {
			if old != nil && old[i] != nil {
				// A state goes with its country.
				r[state], r[code] = nil, nil
				continue
			}
			return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "A country/territory must be specified before specifying a state value for field: " + labelOf(prefix+"State") + "/Province", fields: []string{o.Fields[state].Name}}
		}
		was := old
		if old != nil && old[i] != r[i] {
			was = nil // of another country
			if old[state] == r[state] && old[code] == r[code] {
				r[state], r[code] = nil, nil
				continue
			}
		}
		if err := o.settle(was, r, state, code, states[r.text(i)], "state"); err != nil {
			return err
		}
	}
	return nil
}

func (o *object) settle(old, r row, name, code int, all []place, what string) *apiError {
	nameChanged, codeChanged := r[name] != nil, r[code] != nil
	if old != nil {
		nameChanged, codeChanged = r[name] != old[name], r[code] != old[code]
	}
	problem := func(at int) *apiError {
		return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "There's a problem with this " + what + ", even though it may appear correct. Please select a " + what + "/territory from the list of valid ones.: " + o.Fields[at].Label, fields: []string{o.Fields[at].Name}}
	}
	find := func(at int, of func(place) string) (place, bool) {
		for _, p := range all {
			if strings.EqualFold(of(p), r.text(at)) {
				return p, true
			}
		}
		return place{}, false
	}
	byName := func(p place) string { return p.name }
	byCode := func(p place) string { return p.code }
	switch {
	case codeChanged && r[code] != nil:
		p, ok := find(code, byCode)
		if !ok {
			return problem(code)
		}
		if nameChanged && r[name] != nil && !strings.EqualFold(r.text(name), p.name) {
			return &apiError{code: "FIELD_INTEGRITY_EXCEPTION", message: "Mismatched integration value and ISO code for field: " + o.Fields[code].Label, fields: []string{o.Fields[code].Name}}
		}
		r[name], r[code] = p.name, p.code
	case nameChanged && r[name] != nil:
		p, ok := find(name, byName)
		if !ok {
			return problem(name)
		}
		r[name], r[code] = p.name, p.code
	case nameChanged || codeChanged:
		r[name], r[code] = nil, nil
	}
	return nil
}
