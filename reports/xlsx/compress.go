package xlsx

import (
	"hash/crc32"

	"github.com/klauspost/compress/flate"
)

// compressor compresses the sheets' bodies while their next rows are written.
type compressor struct {
	blocks  chan pending
	used    chan []byte // memory of blocks that are done
	stopped chan struct{}
	deflate *flate.Writer
}

// pending is a block of a body that is to be compressed.
type pending struct {
	of   *body
	text []byte
}

func newCompressor() *compressor {
	c := &compressor{blocks: make(chan pending, 1), used: make(chan []byte, 2), stopped: make(chan struct{}), deflate: newDeflate()}
	go c.run()
	return c
}

// newDeflate compresses quickly: sheets shrink tenfold all the same. Making one
// takes longer than compressing most parts of a file, so it serves many.
func newDeflate() *flate.Writer {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // there is no such level
	}
	return w
}

func (c *compressor) run() {
	defer close(c.stopped)
	for b := range c.blocks {
		if b.of.err == nil {
			b.of.err = b.of.deflate(c.deflate, b.text)
		}
		select {
		case c.used <- b.text[:0]:
		default:
		}
	}
}

// compress takes a block of a body and returns memory for the next. It waits
// where two are to be compressed already.
func (c *compressor) compress(of *body, text []byte) []byte {
	c.blocks <- pending{of, text}
	select {
	case empty := <-c.used:
		return empty
	default:
		return make([]byte, 0, cap(text))
	}
}

// stop waits until all is compressed. Nothing can be added after it.
func (c *compressor) stop() {
	select {
	case <-c.stopped:
	default:
		close(c.blocks)
		<-c.stopped
	}
}

// joinedCRC is the CRC-32 of two texts, one after the other, from theirs and the
// length of the second: that of the first is multiplied by x to the power of the
// bits that follow, modulo the polynomial.
func joinedCRC(first, second uint32, length int64) uint32 {
	const one, x8 = 1 << 31, 1 << 23 // the highest bit is the lowest power
	shift, power := uint32(one), uint32(x8)
	for ; length > 0; length >>= 1 {
		if length&1 == 1 {
			shift = crcProduct(shift, power)
		}
		power = crcProduct(power, power)
	}
	return crcProduct(shift, first) ^ second
}

// crcProduct multiplies polynomials over GF(2) modulo that of CRC-32.
func crcProduct(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a&(1<<31) != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.IEEE*(b&1)
	}
	return product
}
