package reports

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"

	"github.com/disteval/disteval/eval"
)

// digest sums up outcomes and their scores, in order.
type digest struct {
	hash hash.Hash
	row  []byte
}

// newDigest begins with how the outcomes are scored; nil: not at all.
func newDigest(by *eval.ScoringRecord) *digest {
	d := &digest{hash: sha256.New()}
	if by != nil {
		fmt.Fprintf(d.hash, "%t %q\n", by.Scoring.IncludePrompt, by.Scoring.Embedding)
	}
	return d
}

// add takes in who replied what and how that is scored. Every text stands
// after its length, so that no two outcomes can look alike.
func (d *digest) add(s eval.ScoredReply) {
	r := s.Reply
	text := func(s string) { d.row = append(binary.AppendUvarint(d.row, uint64(len(s))), s...) }
	d.row = d.row[:0]
	text(r.JobID.Model)
	text(r.JobID.Query)
	d.row = binary.AppendVarint(d.row, int64(r.JobID.Sample))
	text(r.Text)
	failure := ""
	if r.Failure != nil {
		failure = r.Failure.Error()
	}
	text(failure)
	d.row = binary.AppendUvarint(d.row, uint64(len(s.Scores)))
	for _, score := range s.Scores {
		text(score.Metric)
		text(string(score.Status))
		d.row = binary.BigEndian.AppendUint64(d.row, math.Float64bits(score.Value))
	}
	d.hash.Write(d.row)
}

func (d *digest) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }
