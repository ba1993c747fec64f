package fleet

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/disteval/disteval/eval"
)

// Connection says how a server is reached. What is secret comes from where
// NATS's own tools look for it: the URL, NATS_CREDS, NATS_NKEY, NATS_TOKEN,
// NATS_USER with NATS_PASSWORD, NATS_CERT with NATS_KEY, and NATS_CA.
type Connection struct {
	URL        string // one or more, separated by commas; empty: NATS_URL
	Name       string // of the client, as the server shows it
	Inbox      string // prefix of its inboxes; empty: NATS's own
	ServerCert string // SHA-256 of the server's certificate in hexadecimal, in place of an authority; empty: none
	Log        func(text string)
}

// Connect reaches the server. From then on the connection is made again,
// however often it breaks.
func Connect(c Connection) (*nats.Conn, error) {
	if c.URL == "" {
		c.URL = os.Getenv("NATS_URL")
	}
	if c.URL == "" {
		return nil, eval.BadInput(errors.New("reach NATS: no server is named"), "name it with --nats nats://HOST:4222, or in NATS_URL")
	}
	opts, err := c.options()
	if err != nil {
		return nil, eval.BadInput(fmt.Errorf("reach NATS at %s: %w", Redacted(c.URL), err), "correct the credentials in NATS_* or the option")
	}
	nc, err := nats.Connect(c.URL, opts...)
	if bad := (*url.Error)(nil); errors.As(err, &bad) {
		err = bad.Err // without the address, and the secret in it
	}
	if err != nil {
		return nil, eval.WithHint(fmt.Errorf("reach NATS at %s: %w", Redacted(c.URL), err), connectHint(err))
	}
	return nc, nil
}

func connectHint(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return "the server knows no such user, token or name, or has a worker of this name already: see its log, NATS_CREDS and --name"
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout):
		return "see that the server runs there, that no firewall stands between, and that the address is right"
	}
	return "see that the address and NATS_CREDS, NATS_TOKEN or NATS_CA are those of the server"
}

func (c Connection) options() ([]nats.Option, error) {
	say := c.Log
	if say == nil {
		say = func(string) {}
	}
	opts := []nats.Option{
		nats.Name(c.Name), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				say(fmt.Sprintf("the connection to NATS broke (%v); trying again", err))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { say("connected to NATS again, at " + Redacted(nc.ConnectedUrl())) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if err != nil {
				say("NATS: " + err.Error())
			}
		}),
	}
	if c.Inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(c.Inbox))
	}
	if c.ServerCert != "" {
		pin, err := pinned(c.ServerCert)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(pin))
	}
	return append(opts, credentials()...), nil
}

// credentials are those that the environment names.
func credentials() (opts []nats.Option) {
	env := os.Getenv
	if v := env("NATS_CREDS"); v != "" {
		opts = append(opts, nats.UserCredentials(v))
	}
	if v := env("NATS_NKEY"); v != "" {
		opts = append(opts, nkeyFile(v))
	}
	if v := env("NATS_TOKEN"); v != "" {
		opts = append(opts, nats.Token(v))
	}
	if v := env("NATS_USER"); v != "" {
		opts = append(opts, nats.UserInfo(v, env("NATS_PASSWORD")))
	}
	if v := env("NATS_CERT"); v != "" {
		opts = append(opts, nats.ClientCert(v, env("NATS_KEY")))
	}
	if v := env("NATS_CA"); v != "" {
		opts = append(opts, nats.RootCAs(v))
	}
	return opts
}

// nkeyFile reads the seed when the connection is made, and says then what is
// wrong with it.
func nkeyFile(path string) nats.Option {
	return func(o *nats.Options) error {
		opt, err := nats.NkeyOptionFromSeed(path)
		if err != nil {
			return err
		}
		return opt(o)
	}
}

// pinned trusts the one certificate of that SHA-256 and no authority.
func pinned(fingerprint string) (*tls.Config, error) {
	want, err := hex.DecodeString(strings.ReplaceAll(fingerprint, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%q is not the SHA-256 of a certificate in hexadecimal", fingerprint)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // in place of names and authorities, the certificate itself is checked
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 {
				return errors.New("the server shows no certificate")
			}
			if is := sha256.Sum256(chain[0]); !bytes.Equal(is[:], want) {
				return fmt.Errorf("the server's certificate has the SHA-256 %x, not %x: it is another server", is, want)
			}
			return nil
		},
	}, nil
}

// Redacted is a list of server addresses without what is secret in them.
func Redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i, p := range parts {
		u, err := url.Parse(strings.TrimSpace(p))
		if err != nil {
			parts[i] = "(not an address)"
			continue
		}
		if u.User != nil {
			u.User = url.User("xxxxx")
		}
		parts[i] = u.String()
	}
	return strings.Join(parts, ",")
}
