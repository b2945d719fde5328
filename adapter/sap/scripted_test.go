package sap

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// thingsV2 and thingsV4 are the metadata of a small service.
const thingsV2 = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData">
 <edmx:DataServices m:DataServiceVersion="2.0">
  <Schema Namespace="T" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">
   <EntityType Name="Thing" sap:label="Ding"><Key><PropertyRef Name="ID"/></Key>
    <Property Name="ID" Type="Edm.String" Nullable="false" MaxLength="10" sap:text="Title"/>
    <Property Name="Title" Type="Edm.String" MaxLength="40" sap:label="Titel"/>
    <Property Name="Amount" Type="Edm.Decimal" Precision="16" Scale="3" sap:unit="Currency"/>
    <Property Name="Currency" Type="Edm.String" MaxLength="5" sap:semantics="currency-code"/>
    <Property Name="Big" Type="Edm.Int64"/>
    <Property Name="Double" Type="Edm.Double"/>
    <Property Name="Day" Type="Edm.DateTime" sap:display-format="Date"/>
    <Property Name="At" Type="Edm.DateTime"/>
    <Property Name="Stamp" Type="Edm.DateTimeOffset"/>
    <Property Name="Clock" Type="Edm.Time"/>
    <Property Name="Token" Type="Edm.Guid"/>
    <Property Name="Raw" Type="Edm.Binary"/>
    <Property Name="Yes" Type="Edm.Boolean"/>
    <Property Name="Fixed" Type="Edm.String" sap:updatable="false"/>
    <Property Name="Born" Type="Edm.String" sap:creatable="false" sap:updatable="false"/>
    <Property Name="Blind" Type="Edm.String" sap:filterable="false" sap:sortable="false"/>
    <NavigationProperty Name="to_Part" Relationship="T.parts" FromRole="one" ToRole="many"/>
   </EntityType>
   <EntityType Name="Part"><Key><PropertyRef Name="ID"/><PropertyRef Name="No"/></Key>
    <Property Name="ID" Type="Edm.String" Nullable="false" MaxLength="10"/>
    <Property Name="No" Type="Edm.Int32" Nullable="false"/>
    <Property Name="Name" Type="Edm.String"/>
    <NavigationProperty Name="to_Thing" Relationship="T.parts" FromRole="many" ToRole="one"/>
   </EntityType>
   <EntityType Name="Wall"><Key><PropertyRef Name="ID"/></Key>
    <Property Name="ID" Type="Edm.String" Nullable="false" sap:sortable="false" sap:filterable="false"/>
    <Property Name="Plant" Type="Edm.String" sap:required-in-filter="true"/>
   </EntityType>
   <Association Name="parts"><End Type="T.Thing" Multiplicity="1" Role="one"/><End Type="T.Part" Multiplicity="*" Role="many"/>
    <ReferentialConstraint><Principal Role="one"><PropertyRef Name="ID"/></Principal><Dependent Role="many"><PropertyRef Name="ID"/></Dependent></ReferentialConstraint></Association>
   <EntityContainer Name="C" m:IsDefaultEntityContainer="true">
    <EntitySet Name="Things" EntityType="T.Thing"/><EntitySet Name="Parts" EntityType="T.Part" sap:creatable="false"/>
    <EntitySet Name="Walls" EntityType="T.Wall" sap:pageable="false" sap:countable="false" sap:deletable="false"/>
    <AssociationSet Name="partsSet" Association="T.parts"><End EntitySet="Things" Role="one"/><End EntitySet="Parts" Role="many"/></AssociationSet>
    <FunctionImport Name="Touch" ReturnType="T.Thing" EntitySet="Things" m:HttpMethod="POST"><Parameter Name="ID" Type="Edm.String" Mode="In"/><Parameter Name="At" Type="Edm.DateTime" Mode="In"/></FunctionImport>
   </EntityContainer>
  </Schema>
 </edmx:DataServices>
</edmx:Edmx>`

const thingsV4 = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
 <edmx:Reference Uri="x"><edmx:Include Namespace="Org.OData.Core.V1" Alias="Core"/></edmx:Reference>
 <edmx:Reference Uri="x"><edmx:Include Namespace="com.sap.vocabularies.Common.v1" Alias="Common"/></edmx:Reference>
 <edmx:Reference Uri="x"><edmx:Include Namespace="Org.OData.Capabilities.V1" Alias="SAP__capabilities"/></edmx:Reference>
 <edmx:DataServices>
  <Schema Namespace="T" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm">
   <EnumType Name="Kind"><Member Name="Red"/><Member Name="Blue"/></EnumType>
   <EntityType Name="Base" Abstract="true"><Key><PropertyRef Name="ID"/></Key><Property Name="ID" Type="Edm.Guid" Nullable="false"/></EntityType>
   <EntityType Name="Thing" BaseType="Self.Base">
    <Property Name="Title" Type="Edm.String" MaxLength="40"/>
    <Property Name="Amount" Type="Edm.Decimal" Precision="16" Scale="3"/>
    <Property Name="Kind" Type="Self.Kind"/>
    <Property Name="Day" Type="Edm.Date"/>
    <Property Name="Stamp" Type="Edm.DateTimeOffset" Precision="7"/>
    <Property Name="Clock" Type="Edm.TimeOfDay"/>
    <Property Name="Raw" Type="Edm.Binary"/>
    <Property Name="Tags" Type="Collection(Edm.String)" Nullable="false"/>
    <Property Name="Blind" Type="Edm.String"/>
    <NavigationProperty Name="Parts" Type="Collection(Self.Part)" Partner="Thing"/>
   </EntityType>
   <EntityType Name="Part"><Key><PropertyRef Name="ID"/></Key><Property Name="ID" Type="Edm.Int32" Nullable="false"/><Property Name="Name" Type="Edm.String"/>
    <NavigationProperty Name="Thing" Type="Self.Thing" Partner="Parts"/></EntityType>
   <EntityContainer Name="C">
    <EntitySet Name="Things" EntityType="Self.Thing"><NavigationPropertyBinding Path="Parts" Target="Parts"/></EntitySet>
    <EntitySet Name="Parts" EntityType="Self.Part"><NavigationPropertyBinding Path="Thing" Target="Things"/></EntitySet>
   </EntityContainer>
   <Annotations Target="Self.Thing/Title"><Annotation Term="Common.Label" String="Titel"/><Annotation Term="UI.Whatever"><Collection><Record><PropertyValue Property="x" String="y"/></Record></Collection></Annotation></Annotations>
   <Annotations Target="Self.Thing/Amount"><Annotation Term="Core.Computed" Bool="true"/></Annotations>
   <Annotations Target="Self.C/Things"><Annotation Term="SAP__capabilities.FilterRestrictions"><Record><PropertyValue Property="NonFilterableProperties"><Collection><PropertyPath>Blind</PropertyPath></Collection></PropertyValue></Record></Annotation></Annotations>
  </Schema>
 </edmx:DataServices>
</edmx:Edmx>`

// scripted is a client of a server that answers as a test says.
func scripted(tb testing.TB, metadata string, answer http.HandlerFunc) *Client {
	tb.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/$metadata"):
			w.Header().Set("Content-Type", "application/xml")
			_, _ = w.Write([]byte(metadata))
		case r.Header.Get("X-Csrf-Token") == "Fetch":
			w.Header().Set("X-Csrf-Token", "token")
			_, _ = w.Write([]byte(`{"d":{}}`))
		case answer == nil:
			http.Error(w, "not scripted", http.StatusNotFound)
		default:
			answer(w, r)
		}
	}))
	tb.Cleanup(srv.Close)
	client, err := newClient(Config{URL: srv.URL, Username: "u", Password: "p", Services: []Service{{Name: "S", Path: "/s"}}})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func modelOf(tb testing.TB, client *Client, name string) *model {
	tb.Helper()
	m, err := client.model(context.WithoutCancel(tb.Context()), name)
	require.NoError(tb, err)
	return m
}

// thousands serves n things of v2, by key and $top, most of them per answer.
func thousands(tb testing.TB, n, most int) *Client {
	tb.Helper()
	behind := regexp.MustCompile(`ID gt '(\d+)'`)
	return scripted(tb, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		from, top := 0, n
		if at := behind.FindStringSubmatch(q.Get("$filter")); at != nil {
			from, _ = strconv.Atoi(at[1])
			from++
		}
		if s := q.Get("$top"); s != "" {
			top, _ = strconv.Atoi(s)
		}
		if s := q.Get("$skiptoken"); s != "" {
			_, _ = fmt.Sscanf(s, "%d-%d", &from, &top)
		}
		end := min(from+top, n)
		next := ""
		if end > from+most {
			end = from + most
			next = fmt.Sprintf(`,"__next":"http://hidden.host:8000/s/Things?$skiptoken=%d-%d"`, end, top-most)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"d":{"results":[`))
		for i := from; i < end; i++ {
			if i > from {
				_, _ = w.Write([]byte{','})
			}
			_, _ = fmt.Fprintf(w, `{"__metadata":{"uri":"x"},"ID":"%08d","Title":"Thing number %d","Amount":"%d.500","Big":"%d","Day":"/Date(1741910400000)/","Stamp":"/Date(1741964966000+0060)/"}`, i, i, i, i)
		}
		_, _ = w.Write([]byte(`]` + next + `}}`))
	})
}

func TestStreamsInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 records")
	}
	for _, most := range []int{1 << 30, 300} {
		t.Run(fmt.Sprint("most ", most), func(t *testing.T) {
			const n = 100_000
			client := thousands(t, n, most)
			heap := func() uint64 {
				var stats runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&stats)
				return stats.HeapAlloc
			}
			var first, worst uint64
			seen := 0
			for r, err := range client.Stream(t.Context(), adapter.Query{Model: "S.Things", Fields: []string{"Title", "Amount", "Day"}}) {
				require.NoError(t, err)
				if seen%20_000 == 10_000 {
					worst = max(worst, heap())
					if first == 0 {
						first = worst
					}
				}
				if seen == 12345 {
					assert.Equal(t, adapter.Record{"id": "00012345", "Title": "Thing number 12345", "Amount": json.Number("12345.500"), "Day": "2025-03-14"}, r)
				}
				seen++
			}
			assert.Equal(t, n, seen)
			assert.Less(t, worst, first+8<<20, "the heap grew from %d to %d", first, worst)
		})
	}
}
