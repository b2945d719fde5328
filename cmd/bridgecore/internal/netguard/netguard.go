// Package netguard keeps outgoing connections out of networks that a
// customer's URL must not reach: it looks at the address that is dialled, after
// names were resolved, so that no DNS answer and no redirect can get around it.
package netguard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/bridgecore/bridgecore/adapter"
)

// Guard says which addresses may be dialled. The zero value refuses every
// address that is not public.
type Guard struct {
	// Allowed are ranges that may be dialled although they are not public.
	Allowed []netip.Prefix
	// Private allows loopback and private networks, as suits a developer's
	// machine. Link-local addresses, where clouds keep their metadata, stay
	// refused.
	Private bool
}

// special are ranges that no public host has, besides those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this host
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT, where some clouds keep their metadata
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocols
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("::/96"),           // IPv4-compatible: they carry any IPv4 address
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local-use NAT64
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("2001::/23"),       // IETF protocols, of them Teredo, which carries IPv4 addresses
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("3fff::/20"),       // documentation
	netip.MustParsePrefix("fec0::/10"),       // site-local
}

// embedded are ranges whose addresses carry an IPv4 address that is reached
// through them, and where in the address it is.
var embedded = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4
}

// Allows reports whether the address may be dialled.
func (g Guard) Allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if slices.ContainsFunc(g.Allowed, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return true
	}
	for _, e := range embedded {
		if b := addr.As16(); addr.Is6() && e.prefix.Contains(addr) {
			return g.Allows(netip.AddrFrom4([4]byte(b[e.at : e.at+4])))
		}
	}
	switch {
	case addr.IsLoopback(), addr.IsPrivate():
		return g.Private
	case !addr.IsGlobalUnicast(): // unspecified, link-local, multicast
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Control is for net.Dialer: it refuses the connection with an adapter error
// that does not show the address.
func (g Guard) Control(network, address string, _ syscall.RawConn) error {
	host, err := netip.ParseAddrPort(address)
	if err == nil && g.Allows(host.Addr()) && (network == "tcp4" || network == "tcp6") {
		return nil
	}
	return &adapter.Error{
		Code:    adapter.InvalidArgument,
		Field:   "connection_config.url",
		Message: "the system's address is in a network that this server must not reach; the operator can allow it with ALLOWED_PRIVATE_NETWORKS",
		// Nothing was sent, and asking again gives the same answer.
		NothingSent: true,
		Err:         fmt.Errorf("refused to dial %s", address),
	}
}

// CheckHost refuses a host that is written as an address which may not be
// dialled, or as localhost. Names are judged when they are dialled.
func (g Guard) CheckHost(host string) error {
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if addr, err := netip.ParseAddr(host); err == nil && !g.Allows(addr) {
		return g.Control("tcp", net.JoinHostPort(host, "0"), nil)
	}
	return nil
}
