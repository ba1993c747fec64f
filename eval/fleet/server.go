package fleet

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/disteval/disteval/eval"
)

// StoreDir is where a run's folder keeps its own server's queue and secrets
// until the run is complete.
const StoreDir = "nats"

const (
	secretsFile   = "server.json"
	serverPayload = 8 << 20 // bytes of one message
	startTimeout  = 10 * time.Second
)

// Server is a NATS server inside this process, for one run. Every write is
// synced to disk before it is acknowledged. Workers may publish under their
// own name only and see nothing of each other.
type Server struct {
	nats    *server.Server
	secrets secrets
	auth    *doorman
	dir     string
}

// secrets let workers back in after the coordinator was started again.
type secrets struct {
	Token string `json:"token"`
	Cert  []byte `json:"cert,omitempty"` // DER; none on a loopback address
	Key   []byte `json:"key,omitempty"`  // DER, SEC 1
}

// Listen starts the server on addr, HOST:PORT, with TLS unless HOST is a
// loopback address. dir is the folder of a run to go on with; for a new run it
// is empty and Keep names it later.
func Listen(addr, dir string) (*Server, error) {
	host, port, err := splitListen(addr)
	if err != nil {
		return nil, eval.BadInput(fmt.Errorf("listen on %q: %w", addr, err), "name an address of this machine and a port, such as --listen 127.0.0.1:4222 or --listen 10.0.0.5:4222")
	}
	s := &Server{auth: &doorman{names: make(map[string]uint64)}}
	if dir != "" {
		s.dir = filepath.Join(dir, StoreDir)
	}
	if s.secrets, err = loadSecrets(s.dir, !loopback(host)); err != nil {
		return nil, err
	}
	s.auth.token = s.secrets.Token
	opts := &server.Options{
		ServerName: "disteval", Host: host, Port: port, NoSigs: true, NoLog: true,
		MaxPayload: serverPayload, MaxConn: 2*mostWorkers + 16, SyncAlways: true, CustomClientAuthentication: s.auth,
		PingInterval: 10 * time.Second, MaxPingsOut: 2, AuthTimeout: 5, WriteDeadline: 10 * time.Second,
	}
	if s.secrets.Cert != nil {
		if opts.TLSConfig, err = s.secrets.tls(); err != nil {
			return nil, err
		}
		opts.TLS, opts.TLSTimeout = true, 5
	}
	if s.nats, err = server.NewServer(opts); err != nil {
		return nil, fmt.Errorf("start the NATS server: %w", err)
	}
	s.auth.connected = func(id uint64) bool { return s.nats.GetClient(id) != nil }
	s.nats.Start()
	if !s.nats.ReadyForConnections(startTimeout) {
		s.nats.Shutdown()
		return nil, eval.WithHint(fmt.Errorf("listen on %s: the NATS server did not start: is the port taken?", addr), "choose another port with --listen, or end what uses it")
	}
	if s.dir != "" {
		err = s.keep()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func splitListen(addr string) (string, int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return "", 0, fmt.Errorf("%q is not a port", port)
	}
	if n == 0 {
		n = server.RANDOM_PORT
	}
	return cmp.Or(host, "0.0.0.0"), n, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Keep puts the queue into the run's folder. Before that, workers can connect
// and say what they have, and nothing is queued.
func (s *Server) Keep(dir string) error {
	if s.dir != "" {
		return nil
	}
	s.dir = filepath.Join(dir, StoreDir)
	return s.keep()
}

func (s *Server) keep() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the queue: %w", err)
	}
	data, err := json.Marshal(s.secrets)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, secretsFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what lets workers in: %w", err)
	}
	if err := s.nats.EnableJetStream(&server.JetStreamConfig{StoreDir: s.dir}); err != nil {
		return fmt.Errorf("open the queue in %s: %w", s.dir, err)
	}
	return nil
}

// Check says why the server takes nothing more: it stops its queue by itself
// when its disk is full.
func (s *Server) Check() error {
	if s.dir != "" && !s.nats.JetStreamEnabled() {
		return fmt.Errorf("the queue in %s has stopped: its disk takes no more", s.dir)
	}
	return nil
}

// Connect reaches the server from inside the process, with all rights.
func (s *Server) Connect() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.nats), nats.Name(coordinatorName), nats.Token(s.auth.inside()),
		nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("reach the NATS server inside this process: %w", err)
	}
	return nc, nil
}

// WorkerArgs are the arguments with which a worker on another machine reaches
// this server: complete, to run as they stand.
func (s *Server) WorkerArgs() []string {
	addr := s.nats.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = outwardAddress()
	}
	scheme := "nats"
	if s.secrets.Cert != nil {
		scheme = "tls"
	}
	args := []string{"worker", "--nats", fmt.Sprintf("%s://%s@%s", scheme, s.secrets.Token, net.JoinHostPort(host, strconv.Itoa(addr.Port)))}
	if s.secrets.Cert != nil {
		args = append(args, "--server-cert", fmt.Sprintf("%x", sha256.Sum256(s.secrets.Cert)))
	}
	return args
}

// outwardAddress is the address from which this machine reaches others: the
// first that is neither loopback nor link-local, else the machine's name.
func outwardAddress() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	name, err := os.Hostname()
	if err != nil {
		return "127.0.0.1"
	}
	return name
}

// Close ends the server; the queue stays in the folder.
func (s *Server) Close() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// Remove ends the server and removes the queue: the run is complete.
func (s *Server) Remove() error {
	s.Close()
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

func loadSecrets(dir string, withTLS bool) (secrets, error) {
	var s secrets
	if dir != "" {
		data, err := os.ReadFile(filepath.Join(dir, secretsFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, fmt.Errorf("read what lets workers in: %w", err)
		}
		if err == nil && json.Unmarshal(data, &s) != nil {
			return s, fmt.Errorf("read %s: the file is damaged; remove it, and start the workers with the line that is printed then", filepath.Join(dir, secretsFile))
		}
	}
	if s.Token == "" {
		s.Token = random()
	}
	if !withTLS {
		s.Cert, s.Key = nil, nil
		return s, nil
	}
	if s.Cert != nil {
		return s, nil
	}
	return s, s.certify()
}

func random() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// certify makes a certificate for this run. Workers know it by its SHA-256, so
// it needs no name and no authority.
func (s *secrets) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the server's key: %w", err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "disteval"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if s.Cert, err = x509.CreateCertificate(rand.Reader, about, about, key.Public(), key); err != nil {
		return fmt.Errorf("make the server's certificate: %w", err)
	}
	s.Key, err = x509.MarshalECPrivateKey(key)
	return err
}

func (s secrets) tls() (*tls.Config, error) {
	key, err := x509.ParseECPrivateKey(s.Key)
	if err != nil {
		return nil, fmt.Errorf("read the server's key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{s.Cert}, PrivateKey: key}}}, nil
}

// workerClient begins the client name of a worker's connection, coordinatorName
// is that of the coordinator's.
const (
	workerClient    = "disteval worker "
	coordinatorName = "disteval run"
)

// WorkerConnection fills in what a worker's connection must say of itself.
func WorkerConnection(c Connection, name string) Connection {
	c.Name, c.Inbox = workerClient+name, inboxOf(name)
	return c
}

// inboxOf is where a worker is written to.
func inboxOf(name string) string { return "_INBOX." + name }

// doorman lets in who has the token: this process with all rights, workers
// under one name each with few.
type doorman struct {
	token     string
	connected func(id uint64) bool

	mu    sync.Mutex
	own   string            // token of this process
	names map[string]uint64 // connection of each worker
}

func (d *doorman) inside() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.own == "" {
		d.own = random()
	}
	return d.own
}

// Check is server.Authentication.
func (d *doorman) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	if same(opts.Token, d.inside()) {
		c.RegisterUser(&server.User{Username: coordinatorName})
		return true
	}
	name, isWorker := strings.CutPrefix(opts.Name, workerClient)
	if !same(opts.Token, d.token) || !isWorker || CheckName(name) != nil || !d.admit(name, c.GetID()) {
		return false
	}
	c.RegisterUser(&server.User{Username: name, Permissions: workerPermissions(name)})
	return true
}

// admit gives a name to one connection at a time.
func (d *doorman) admit(name string, id uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if has, taken := d.names[name]; taken && has != id && d.connected(has) {
		return false
	}
	d.names[name] = id
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// workerPermissions lets a worker say hello and publish replies in its own
// name, take questions and acknowledge them, and nothing else.
func workerPermissions(name string) *server.Permissions {
	return &server.Permissions{
		Publish: &server.SubjectPermission{
			Allow: []string{helloPrefix + name, "disteval.r.*." + name,
				"$JS.API.CONSUMER.INFO.*.*", "$JS.API.CONSUMER.MSG.NEXT.*.*", "$JS.ACK.*.*.>"},
			Deny: []string{"$JS.API.CONSUMER.MSG.NEXT.*." + repliesTaker, "$JS.ACK.*." + repliesTaker + ".>"},
		},
		Subscribe: &server.SubjectPermission{Allow: []string{audience, inboxOf(name) + ".>"}},
	}
}
