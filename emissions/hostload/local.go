package hostload

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// resolving is how long a name server may take.
const resolving = 2 * time.Second

// IsLocal tells whether host, a name or an address, is this machine. A name
// that cannot be resolved is not.
func IsLocal(host string) bool {
	if host == "" || host == "localhost" {
		return true
	}
	if name, err := os.Hostname(); err == nil && strings.EqualFold(name, host) {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return isOwn(ip)
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolving)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && !slices.ContainsFunc(ips, func(ip netip.Addr) bool { return !isOwn(ip.Unmap()) })
}

// isOwn tells whether ip is an address of this machine.
func isOwn(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == ip {
			return true
		}
	}
	return false
}
