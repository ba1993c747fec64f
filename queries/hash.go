package queries

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// SHA256 is the content hash of the set, 64 hexadecimal digits. It covers every
// field of every query and the order of queries and aliases, but neither Name,
// Version nor Explained: the same questions under another file name are the
// same instrument. An empty Reference counts as the Keyword, its default.
//
// Every text goes in after its length in bytes, every list after its number of
// elements (both unsigned, 64 bits, big-endian), so that no two different sets
// feed the same bytes.
func (s Set) SHA256() string {
	b := []byte("disteval.queries/1\n")
	h := sha256.New()
	b = binary.BigEndian.AppendUint64(b, uint64(len(s.Queries)))
	for _, q := range s.Queries {
		b = appendQuery(b, q)
		h.Write(b)
		b = b[:0]
	}
	h.Write(b) // the header alone, where there is no query
	return hex.EncodeToString(h.Sum(nil))
}

func appendQuery(b []byte, q Query) []byte {
	reference := q.Reference
	if reference == "" {
		reference = q.Keyword
	}
	for _, s := range []string{q.ID, q.Prompt, q.Keyword, reference, q.Category, q.Difficulty, q.AsOf} {
		b = appendText(b, s)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(len(q.Aliases)))
	for _, a := range q.Aliases {
		b = appendText(b, a)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}
