package netguard_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	} {
		a := netip.MustParseAddr(addr)
		assert.Equal(t, want, [3]bool{production.Allows(a), development.Allows(a), opened.Allows(a)}, addr)
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
