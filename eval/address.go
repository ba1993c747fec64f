package eval

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseAddress reads a model server's address as people write it: with or
// without scheme, port, path and USER:PASSWORD@, IPv6 with or without brackets.
// defaultPort is that of an address without a scheme. The credentials are the
// URL's User; its errors never show them.
func ParseAddress(address, defaultPort string) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	}
	authority, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	shown := strings.TrimPrefix(scheme+"://", "://") + rest[at+1:]
	port := defaultPort
	switch scheme {
	case "":
		scheme = "http"
	case "http":
		port = "80"
	case "https":
		port = "443"
	default:
		return nil, fmt.Errorf("address %q: scheme %q is not http or https", shown, scheme)
	}
	user := userinfo(authority[:max(at, 0)])
	authority = authority[at+1:]
	name := strings.Trim(authority, "[]")
	if h, p, err := net.SplitHostPort(authority); err == nil {
		name, port = h, p
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("address %q: port %q is not a number from 1 to 65535", shown, port)
	}
	if name == "" {
		name = "127.0.0.1"
	}
	return &url.URL{Scheme: scheme, User: user, Host: net.JoinHostPort(name, port), Path: strings.TrimRight("/"+path, "/")}, nil
}

// userinfo reads USER or USER:PASSWORD, percent-encoded or, where that is no
// encoding, as it stands.
func userinfo(s string) *url.Userinfo {
	if s == "" {
		return nil
	}
	name, password, ok := strings.Cut(s, ":")
	for _, part := range []*string{&name, &password} {
		if plain, err := url.PathUnescape(*part); err == nil {
			*part = plain
		}
	}
	if !ok {
		return url.User(name)
	}
	return url.UserPassword(name, password)
}
