package edmx_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

const v4 = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.01" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
 <edmx:Reference Uri="a"><edmx:Include Namespace="Org.OData.Core.V1" Alias="SAP__core"/></edmx:Reference>
 <edmx:Reference Uri="b"><edmx:Include Namespace="Org.OData.Capabilities.V1" Alias="SAP__capabilities"/></edmx:Reference>
 <edmx:Reference Uri="c"><edmx:Include Namespace="com.sap.vocabularies.Common.v1" Alias="SAP__common"/></edmx:Reference>
 <edmx:Reference Uri="d"><edmx:Include Namespace="Org.OData.Measures.V1" Alias="SAP__measures"/></edmx:Reference>
 <edmx:DataServices><Schema Namespace="com.sap.x" Alias="SAP__self" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <EntityType Name="OrderType"><Key><PropertyRef Name="Order"/></Key>
   <Property Name="Order" Type="Edm.String" Nullable="false" MaxLength="10"/>
   <Property Name="Net" Type="Edm.Decimal" Precision="16" Scale="variable"/>
   <Property Name="Currency" Type="Edm.String" MaxLength="3"/>
   <Property Name="Note" Type="Edm.String"><Annotation Term="SAP__core.Immutable"/></Property>
   <NavigationProperty Name="_Item" Type="Collection(SAP__self.ItemType)" Partner="_Order"/>
  </EntityType>
  <EntityType Name="ItemType"><Key><PropertyRef Name="Order"/><PropertyRef Name="Item"/></Key>
   <Property Name="Order" Type="Edm.String" Nullable="false"/><Property Name="Item" Type="Edm.String" Nullable="false"/>
   <NavigationProperty Name="_Order" Type="com.sap.x.OrderType" Nullable="false" Partner="_Item"><ReferentialConstraint Property="Order" ReferencedProperty="Order"/></NavigationProperty>
  </EntityType>
  <Action Name="release" IsBound="true"><Parameter Name="_it" Type="SAP__self.OrderType"/><Parameter Name="Why" Type="Edm.String"/><ReturnType Type="SAP__self.OrderType"/></Action>
  <Function Name="next"><Parameter Name="N" Type="Edm.Int32" Nullable="false"/><ReturnType Type="Edm.String"/></Function>
  <EntityContainer Name="Container">
   <EntitySet Name="Order" EntityType="com.sap.x.OrderType"><NavigationPropertyBinding Path="_Item" Target="Item"/></EntitySet>
   <EntitySet Name="Item" EntityType="com.sap.x.ItemType"><NavigationPropertyBinding Path="_Order" Target="Order"/></EntitySet>
   <FunctionImport Name="nextOne" Function="SAP__self.next"/>
  </EntityContainer>
  <Annotations Target="SAP__self.OrderType/Order"><Annotation Term="SAP__common.Label" String="Sales Order"/><Annotation Term="SAP__core.Computed"/></Annotations>
  <Annotations Target="SAP__self.OrderType/Net"><Annotation Term="SAP__measures.ISOCurrency" Path="Currency"/></Annotations>
  <Annotations Target="SAP__self.Container/Order">
   <Annotation Term="SAP__capabilities.FilterRestrictions"><Record><PropertyValue Property="RequiresFilter" Bool="true"/>
    <PropertyValue Property="NonFilterableProperties"><Collection><PropertyPath>Note</PropertyPath></Collection></PropertyValue></Record></Annotation>
   <Annotation Term="SAP__capabilities.DeleteRestrictions"><Record><PropertyValue Property="Deletable" Bool="false"/></Record></Annotation>
   <Annotation Term="SAP__core.OptimisticConcurrency"><Collection><PropertyPath>Note</PropertyPath></Collection></Annotation>
   <Annotation Term="SAP__unknown.Thing"><Collection><Record><Annotation Term="x"/></Record></Collection></Annotation>
  </Annotations>
 </Schema></edmx:DataServices></edmx:Edmx>`

func TestVersionFour(t *testing.T) {
	m, err := edmx.Parse(strings.NewReader(v4))
	require.NoError(t, err)
	assert.True(t, m.V4)
	assert.Equal(t, "4.01", m.Version)
	order := m.Sets["Order"]
	require.NotNil(t, order)
	assert.True(t, order.MustFilter)
	assert.True(t, order.NoDelete)
	assert.False(t, order.NoUpdate)
	assert.True(t, order.HasETag)
	assert.Equal(t, map[string]bool{"Note": true}, order.NoFilter)
	assert.Equal(t, "Item", order.Bindings["_Item"])
	assert.Equal(t, []string{"Order"}, order.Type.Keys)
	key := order.Type.Prop("Order")
	assert.True(t, key.Computed)
	assert.True(t, key.Key)
	assert.Equal(t, "Sales Order", key.Label)
	assert.Equal(t, 10, key.MaxLength)
	assert.True(t, order.Type.Prop("Note").Immutable)
	assert.Equal(t, "Currency", order.Type.Prop("Net").Unit)
	assert.True(t, order.Type.Prop("Net").Currency)
	items := order.Type.Nav("_Item")
	assert.True(t, items.Many)
	assert.Equal(t, "com.sap.x.ItemType", items.Target)
	assert.Equal(t, [][2]string{{"Order", "Order"}}, items.Constraint, "from the way back")
	require.Len(t, m.Operations, 2)
	byName := map[string]*edmx.Operation{}
	for _, op := range m.Operations {
		byName[op.Name] = op
	}
	assert.Equal(t, "GET", byName["nextOne"].Method)
	release := byName["release"]
	assert.True(t, release.Bound && release.Action)
	assert.Equal(t, "com.sap.x.release", release.Qualified)
	assert.Equal(t, "com.sap.x.OrderType", release.BoundTo)
	require.Len(t, release.Params, 1)
	assert.Equal(t, "Why", release.Params[0].Name)
}

func TestBrokenDocuments(t *testing.T) {
	for name, doc := range map[string]string{
		"empty":          "",
		"no xml":         "hello",
		"other root":     "<html></html>",
		"cut":            v4[:len(v4)/2],
		"cut in a tag":   v4[:200],
		"wrong end":      `<edmx:Edmx Version="1.0"><a></b></edmx:Edmx>`,
		"doctype":        `<!DOCTYPE x [<!ENTITY a "b">]><edmx:Edmx Version="1.0">&a;</edmx:Edmx>`,
		"entity":         `<edmx:Edmx Version="1.0">&a;</edmx:Edmx>`,
		"unknown type":   `<edmx:Edmx Version="1.0"><EntityContainer><EntitySet Name="A" EntityType="X.Y"/></EntityContainer></edmx:Edmx>`,
		"own base":       `<edmx:Edmx Version="4.0"><Schema Namespace="N"><EntityType Name="A" BaseType="N.B"/><EntityType Name="B" BaseType="N.A"/></Schema></edmx:Edmx>`,
		"encoding":       `<?xml version="1.0" encoding="utf-16"?><edmx:Edmx Version="1.0"/>`,
		"deep":           `<edmx:Edmx Version="1.0">` + strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100) + `</edmx:Edmx>`,
		"deep annotated": `<edmx:Edmx Version="4.0"><Annotations Target="x"><Annotation Term="Org.OData.Core.V1.Computed">` + strings.Repeat("<Collection>", 100) + strings.Repeat("</Collection>", 100) + `</Annotation></Annotations></edmx:Edmx>`,
	} {
		_, err := edmx.Parse(strings.NewReader(doc))
		assert.Error(t, err, name)
		assert.ErrorContains(t, err, "edmx: ", name)
	}
}

// padded is a document of at least n bytes, most of them annotations for user
// interfaces.
func padded(n int) io.Reader {
	head, tail, _ := strings.Cut(v4, `  <Annotations Target="SAP__self.OrderType/Order">`)
	one := `<Annotations Target="SAP__self.OrderType/Note%d"><Annotation Term="com.sap.vocabularies.UI.v1.LineItem"><Collection><Record Type="UI.DataField"><PropertyValue Property="Value" Path="Note"/><PropertyValue Property="Label" String="A label of some length %d"/></Record></Collection></Annotation></Annotations>`
	readers := []io.Reader{strings.NewReader(head)}
	block := strings.Repeat(fmt.Sprintf(one, 1, 1), 1000)
	for size := 0; size < n; size += len(block) {
		readers = append(readers, strings.NewReader(block))
	}
	return io.MultiReader(append(readers, strings.NewReader(`  <Annotations Target="SAP__self.OrderType/Order">`+tail))...)
}

func TestManyMegabytes(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := edmx.Parse(padded(20 << 20))
	require.NoError(t, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Equal(t, "Sales Order", m.Sets["Order"].Type.Prop("Order").Label)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(4<<20))
	runtime.KeepAlive(m)
}

func FuzzParse(f *testing.F) {
	f.Add(v4)
	f.Add(v4[:500])
	f.Add(`<edmx:Edmx Version="1.0"><Association Name="A"><End Role="x" Type="y" Multiplicity="*"/></Association></edmx:Edmx>`)
	f.Fuzz(func(t *testing.T, doc string) {
		m, err := edmx.Parse(strings.NewReader(doc))
		if err != nil {
			return
		}
		for name, set := range m.Sets {
			require.NotNil(t, set.Type, name)
		}
	})
}
