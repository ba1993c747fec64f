package builtin

import "strings"

// Tokenizer cuts text as the model does whose vocabulary it has.
type Tokenizer struct{ words *vocabulary }

// NewTokenizer reads a vocabulary from a GGUF file's values: texts, integers as
// int64 or uint64, booleans, and lists of string, float32 and int32.
func NewTokenizer(values map[string]any) (*Tokenizer, error) {
	v, err := readVocabulary(&ggufFile{values: values})
	if err != nil {
		return nil, err
	}
	return &Tokenizer{v}, nil
}

// Encode gives the tokens of a text that goes on: with the marker of the
// beginning where the model has one, never with that of the end. More than
// limit are an error.
func (t *Tokenizer) Encode(text string, limit int) ([]int32, error) {
	return t.words.continued(text, limit)
}

// Piece is the text of one token, which may be part of a character.
func (t *Tokenizer) Piece(id int32) (string, error) { return t.words.piece(id) }

// Size is the number of tokens; their IDs are below it.
func (t *Tokenizer) Size() int { return t.words.size }

// Text is what tokens read as, without the marker of the beginning and the
// space that SentencePiece puts before a text.
func (t *Tokenizer) Text(ids []int32) (string, error) {
	if t.words.addBOS && len(ids) > 0 && int(ids[0]) == t.words.bos {
		ids = ids[1:]
	}
	text, err := t.words.tokenizer.Decode(ids)
	if t.words.addSpace {
		text = strings.TrimPrefix(text, " ")
	}
	return text, err
}
