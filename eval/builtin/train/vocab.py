"""A SentencePiece-style vocabulary: byte-pair merges whose rank is the score.

A token never crosses the start of a word, a digit or a mark, so a text can be
encoded in pieces that are cut there. The merge rule (the adjacent pair of the
highest score first, the leftmost of equals) is the one that llama.cpp and
Ollama apply to a GGUF of tokenizer model "llama".
"""
import collections
import re

SPACE = "\u2581"
UNK, BOS, EOS = 0, 1, 2
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
WORD = re.compile(SPACE + r"?(?:[^\W\d_]+|[\d_]|[^\w" + SPACE + r"])|" + SPACE)


class Vocab:
    """Token texts with scores and types, and the encoder over them."""

    def __init__(self, texts, size):
        self.tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
        self.types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
        self.scores = [0.0] * len(self.tokens)
        words = collections.Counter(w for t in texts for w in WORD.findall(t.replace(" ", SPACE)))
        chars = sorted({c for w in words for c in w})
        merges = learn(words, size - len(self.tokens) - len(chars))
        for rank, token in enumerate(merges + chars):
            self.tokens.append(token)
            self.types.append(NORMAL)
            self.scores.append(-float(rank))
        self.ids = {t: i for i, t in enumerate(self.tokens)}

    def encode(self, text):
        """The ids of a text, without the markers of begin and end."""
        return [i for w in WORD.findall(text.replace(" ", SPACE)) for i in self.encode_word(w)]

    def encode_word(self, word):
        parts = list(word)
        while True:
            pairs = [(self.scores[self.ids[a + b]], -i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in self.ids]
            if not pairs:
                break
            at = -max(pairs)[1]
            parts[at:at + 2] = ["".join(parts[at:at + 2])]
        ids = []
        for p in parts:
            ids += [self.ids[p]] if p in self.ids else [3 + b for b in p.encode()]
        return ids

    def decode(self, ids):
        """The text of ids; a broken character becomes U+FFFD."""
        out = b""
        for i in ids:
            out += bytes([i - 3]) if self.types[i] == BYTE else self.tokens[i].replace(SPACE, " ").encode()
        return out.decode(errors="replace")


def learn(words, count):
    """The first count byte-pair merges of a counted list of words."""
    words = [(list(w), n) for w, n in sorted(words.items())]
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for parts, n in words:
            for a, b in zip(parts, parts[1:]):
                pairs[a, b] += n
        if not pairs:
            raise SystemExit("vocabulary: the texts give only %d merges of %d" % (len(merges), count))
        a, b = max(pairs, key=lambda p: (pairs[p], p))
        if a + b not in merges:
            merges.append(a + b)
        for parts, _ in words:
            i = 0
            while i < len(parts) - 1:
                if parts[i] == a and parts[i + 1] == b:
                    parts[i:i + 2] = [a + b]
                i += 1
    return merges
