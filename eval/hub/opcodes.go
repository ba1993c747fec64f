package hub

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// What follows an opcode of the pickles that torch.save writes: a positive
// number is that many bytes, the others are below.
const (
	argLines = -1 // two lines: module and class
	argLong1 = -2 // one byte of length, then the number
	argText  = -3 // four bytes of length, then UTF-8
	argShort = -4 // one byte of length, then text
)

// Bounds on a pickle. The unpickler puts values into the words of its errors,
// so a few texts that are repeated without end could fill the memory.
const (
	maxPickle = 16 << 20 // bytes
	maxName   = 4096     // bytes of a text; a tensor's name has tens
	maxEcho   = 64 << 20 // bytes of all texts that the pickle repeats from its memo
)

// opcodes are those of protocol 2 as torch.save uses it. The unpickler knows
// more, some of which allocate whatever length a file claims.
var opcodes = map[byte]int{
	0x80: 1, '.': 0, '(': 0, 'c': argLines, 'R': 0, 'b': 0, 'Q': 0,
	'}': 0, ']': 0, ')': 0, 't': 0, 0x85: 0, 0x86: 0, 0x87: 0,
	's': 0, 'u': 0, 'a': 0, 'e': 0, 'q': 1, 'r': 4, 'h': 1, 'j': 4,
	'N': 0, 0x88: 0, 0x89: 0, 'K': 1, 'M': 2, 'J': 4, 'G': 8, 0x8a: argLong1,
	'X': argText, 'U': argShort,
}

// checkPickle walks over the opcodes without executing any, and refuses a
// pickle that is none of torch.save's or claims more bytes than it has.
func checkPickle(p []byte) error {
	longest, echo := 0, 0
	for at := 0; at < len(p); {
		op := p[at]
		arg, known := opcodes[op]
		if !known {
			return fmt.Errorf("pickle opcode 0x%02x at byte %d: no checkpoint of weights needs it", op, at)
		}
		if op == '.' {
			return nil
		}
		at++
		n := argBytes(arg, p[at:])
		if n < 0 || n > len(p)-at {
			return errCutPickle
		}
		switch {
		case (arg == argText || arg == argLines) && n > maxName:
			return fmt.Errorf("a text of %d bytes in it: no name of a tensor or class is that long", n)
		case op == 'h' || op == 'j':
			echo += longest
		case arg < 0:
			longest = max(longest, n)
		}
		if echo > maxEcho {
			return fmt.Errorf("its texts may come to more than %d MB with all repetitions: no checkpoint of weights needs that", maxEcho>>20)
		}
		at += n
	}
	return errCutPickle
}

// argBytes is the length of an opcode's argument, at the start of rest; -1
// where rest is too short to tell.
func argBytes(arg int, rest []byte) int {
	switch {
	case arg >= 0:
		return arg
	case arg == argLines:
		first := bytes.IndexByte(rest, '\n')
		second := bytes.IndexByte(rest[first+1:], '\n')
		if first < 0 || second < 0 {
			return -1
		}
		return first + second + 2
	case arg == argText && len(rest) >= 4:
		return 4 + int(binary.LittleEndian.Uint32(rest))
	case arg != argText && len(rest) >= 1:
		return 1 + int(rest[0])
	}
	return -1
}

var errCutPickle = errors.New("the pickle is cut off")
