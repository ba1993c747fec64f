package fleet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// keys makes the keys of questions and tells them from invented ones, so that
// only a worker that was given a question can answer it.
type keys struct {
	nonce  string // of this process: the queue knows the keys of an earlier one for some minutes
	secret string // of the run
}

// secretKey is where the reply stream keeps the secret for a resumption.
// Workers may not look into streams.
const secretKey = "disteval.secret"

// remember takes the secret from the stream of an earlier process, or makes one.
func (k *keys) remember(ctx context.Context, js jetstream.JetStream, stream string) error {
	if k.secret != "" {
		return nil
	}
	has, err := js.Stream(ctx, stream)
	switch {
	case err == nil:
		k.secret = has.CachedInfo().Config.Metadata[secretKey]
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return err
	}
	if k.secret == "" {
		k.secret = random()
	}
	return nil
}

func (k *keys) metadata() map[string]string { return map[string]string{secretKey: k.secret} }

// of is the key of a question, another at each attempt. host is empty but for
// an audit's, which only that host may answer.
func (k *keys) of(at place, attempt int, host string) string {
	body := fmt.Sprintf("%s-%d-%d-%d", k.nonce, at.model, at.job, attempt)
	return body + "-" + k.seal(body, host)
}

func (k *keys) seal(body, host string) string {
	mac := hmac.New(sha256.New, []byte(k.secret))
	mac.Write([]byte(body + " " + host))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// genuine reports whether the run made a key for that job and host.
func (k *keys) genuine(key string, at place, host string) bool {
	i := strings.LastIndexByte(key, '-')
	if i < 0 {
		return false
	}
	parts := strings.Split(key[:i], "-")
	return len(parts) == 4 && parts[1] == fmt.Sprint(at.model) && parts[2] == fmt.Sprint(at.job) && same(key[i+1:], k.seal(key[:i], host))
}
