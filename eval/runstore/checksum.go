package runstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// checksumOf covers the values of a row, in the order of the table's columns:
// integers, texts and nil for NULL. It is the beginning of a SHA-256, which is
// for finding damage and not against forgery.
func checksumOf(values ...any) []byte {
	b := make([]byte, 0, 512)
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case string:
			b = binary.BigEndian.AppendUint64(append(b, 's'), uint64(len(v)))
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("checksum of a %T", v))
		}
	}
	sum := sha256.Sum256(b)
	return sum[:8]
}

func checksumText(s string) string { return hex.EncodeToString(checksumOf(s)) }

// intact reports whether a row's values are those that sum was made of. Rows
// from before there were checksums have none and count as intact.
func (s *Store) intact(sum []byte, values ...any) bool {
	if sum == nil {
		return s.unchecked
	}
	return bytes.Equal(sum, checksumOf(values...))
}
