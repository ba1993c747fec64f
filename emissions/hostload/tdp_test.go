package hostload

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// The hash of the table; a new one belongs in NOTICE, too.
const tdpSHA256 = "ce570e782770ac21198bfe60469b1bd3d49e2fb78e0d1cb47adfa925760d74f5"

func TestTDPTable(t *testing.T) {
	if sum := sha256.Sum256([]byte(tdpTable)); hex.EncodeToString(sum[:]) != tdpSHA256 {
		t.Errorf("tdp.tsv has the hash %x", sum)
	}
}
