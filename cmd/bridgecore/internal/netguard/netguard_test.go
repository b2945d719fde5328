package netguard_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/netguard"
)

func TestAllows(t *testing.T) {
	production := netguard.Guard{}
	development := netguard.Guard{Private: true}
	opened := netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("169.254.0.0/16")}}
	for addr, want := range map[string][3]bool{
		"8.8.8.8":            {true, true, true},
		"2606:4700::1111":    {true, true, true},
		"127.0.0.1":          {false, true, false},
		"127.9.9.9":          {false, true, false},
		"::1":                {false, true, false},
		"::ffff:127.0.0.1":   {false, true, false},
		"10.1.2.3":           {false, true, true},
		"::ffff:10.1.2.3":    {false, true, true},
		"10.2.2.3":           {false, true, false},
		"172.16.0.1":         {false, true, false},
		"192.168.1.1":        {false, true, false},
		"fd00::1":            {false, true, false},
		"169.254.169.254":    {false, false, true},
		"fe80::1":            {false, false, false},
		"fd00:ec2::254":      {false, true, false},
		"100.100.100.200":    {false, false, false},
		"0.0.0.0":            {false, false, false},
		"::":                 {false, false, false},
		"224.0.0.1":          {false, false, false},
		"255.255.255.255":    {false, false, false},
		"ff02::1":            {false, false, false},
		"64:ff9b::7f00:1":    {false, true, false},
		"64:ff9b::a9fe:a9fe": {false, false, true},
		"64:ff9b::808:808":   {true, true, true},
		"2002:7f00:1::":      {false, true, false},
		"2002:0a02:0203::1":  {false, true, false},
		"198.18.0.1":         {false, false, false},
		"0.1.2.3":            {false, false, false},
		"192.0.0.8":          {false, false, false},
		"192.0.2.1":          {false, false, false},
		"192.88.99.1":        {false, false, false},
		"198.51.100.1":       {false, false, false},
		"203.0.113.1":        {false, false, false},
		"250.1.2.3":          {false, false, false},
		"::7f00:1":           {false, false, false}, // IPv4-compatible
		"64:ff9b:1::a00:1":   {false, false, false},
		"100::1":             {false, false, false},
		"2001:0:a00:1::1":    {false, false, false}, // Teredo
		"2001:db8::1":        {false, false, false},
		"2001:db8::1%eth0":   {false, false, false}, // a zone is no way around
		"2001:200::1":        {true, true, true},
		"3fff::1":            {false, false, false},
		"fec0::1":            {false, false, false},
	} {
		a := netip.MustParseAddr(addr)
		assert.Equal(t, want, [3]bool{production.Allows(a), development.Allows(a), opened.Allows(a)}, addr)
	}
}

// Nothing but TCP is dialled.
func TestOnlyTCPIsDialled(t *testing.T) {
	for network, ok := range map[string]bool{"tcp4": true, "tcp6": true, "udp4": false, "udp6": false, "unix": false, "ip4:icmp": false} {
		assert.Equal(t, ok, netguard.Guard{}.Control(network, "8.8.8.8:443", nil) == nil, network)
	}
}

func TestCheckHost(t *testing.T) {
	for host, ok := range map[string]bool{"odoo.example.com": true, "8.8.8.8": true, "localhost": false, "127.0.0.1": false, "::1": false, "169.254.169.254": false} {
		err := netguard.Guard{}.CheckHost(host)
		assert.Equal(t, ok, err == nil, host)
	}
}

func TestTheDialledAddressDecides(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	dial := func(g netguard.Guard, address string) error {
		d := net.Dialer{Control: g.Control}
		conn, err := d.DialContext(context.Background(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		address := net.JoinHostPort(host, port)
		err := dial(netguard.Guard{}, address)
		require.ErrorIs(t, err, adapter.ErrInvalidArgument, "a name that resolves to a private address")
		var e *adapter.Error
		require.ErrorAs(t, err, &e)
		assert.NotContains(t, e.Message, "127.0.0.1")
		assert.NoError(t, dial(netguard.Guard{Private: true}, address))
		assert.NoError(t, dial(netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}, address))
	}
}

// A name that leads to a public address when it is looked over, and to this
// machine when it is dialled, is refused.
func TestANameThatMoves(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)

	names := &nameServer{answers: [][4]byte{{8, 8, 8, 8}, {127, 0, 0, 1}}}
	resolver := &net.Resolver{PreferGo: true, Dial: names.dial}
	const host = "odoo.example.com"
	first, err := resolver.LookupNetIP(t.Context(), "ip4", host)
	require.NoError(t, err)
	require.Len(t, first, 1)
	production := netguard.Guard{}
	require.NoError(t, production.CheckHost(host))
	require.True(t, production.Allows(first[0]), "it looks well")

	d := net.Dialer{Resolver: resolver, Control: production.Control}
	_, err = d.DialContext(t.Context(), "tcp4", net.JoinHostPort(host, port))
	require.ErrorIs(t, err, adapter.ErrInvalidArgument)
	d.Control = netguard.Guard{Private: true}.Control
	conn, err := d.DialContext(t.Context(), "tcp4", net.JoinHostPort(host, port))
	require.NoError(t, err, "it is the guard that refuses")
	require.NoError(t, conn.Close())
}

// nameServer answers each question with the next address, and with the last
// one for ever.
type nameServer struct {
	mu      sync.Mutex
	answers [][4]byte
}

func (s *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go s.serve(ours)
	return theirs, nil
}

// serve speaks DNS as it is spoken over TCP: each message after its length.
func (s *nameServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var length uint16
	if binary.Read(conn, binary.BigEndian, &length) != nil {
		return
	}
	question := make([]byte, length)
	if _, err := io.ReadFull(conn, question); err != nil {
		return
	}
	var m dnsmessage.Message
	if m.Unpack(question) != nil {
		return
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	s.mu.Lock()
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: s.answers[0]},
			})
			s.answers = s.answers[min(1, len(s.answers)-1):]
		}
	}
	s.mu.Unlock()
	answer, err := m.Pack()
	if err != nil {
		return
	}
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) //nolint:gosec // a short message
}
