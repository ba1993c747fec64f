"""Writes the reference fixtures of this folder: python3 reference.py

An implementation of rouge_score's tokeniser and ROUGE-L, of SQuAD v1.1's
normalisation and of em's word rules, written from their descriptions, in the
language whose string methods define the first two. Every random choice is
seeded; the fixtures were written by Python 3.11 (Unicode 14.0).
"""
import json
import os
import random
import re
import string
import unicodedata

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = random.Random(20241001)

WORDS = """the a an The capital of France is Paris PARIS Paris, (Paris) "Paris" Lyon and river Seine
 isn't can't U.S. U.S U.K. J.K. Rowling J.K.Rowling 1,000 10,000,000 1,00 12,345,67 3.14 1. .5 C++ C# F# C++11
 O'Brien O’Brien OʼBrien Brien's Paris's PARIS'S dogs' it's 'quoted' rock'n'roll well-known mother-in-law état ÉTAT café
 cafe\u0301 straße STRASSE Große ΣΊΣΥΦΟΣ ΑΣ Σ ΑΣ' Α.Σ.Β İstanbul ISTANBUL istanbul Iğdır \u212a \u212aelvin 5\u212a ﬁne
 ½ x² ① Ⅳ 東京 日本 москва Москва\u0301 ｆｕｌｌ \u0301 \u200f e.g. i.e. p.m. a.m. D.C. D.C.A. a.b ab.c a.bc a1 1a 1960s
 20th re_do under_score _ __ ' '' - -- ... . , ; : ! ? the's an' a- -a the\u0301 thé ans these theatre
 \u01c5 \u1e9e ŉ ΐ ᾳ ǰ Ａ ａｎ ٣ ٣٤ ๓ H2O CO2 + # ++ A+ A+B #1 c#d 1,234.5 1.234,5 $1,000 U.S.' N.A.S.A. N.A.S.A's""".split()
SPACES = [" "] * 12 + ["\t", "\n", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u3000", "\u200b", "  ", "", "-", "/", "\x00", "."]


def some_text(most):
    out = []
    for _ in range(rng.randint(0, most)):
        out.append(rng.choice(WORDS) if rng.random() < 0.97 else chr(rng.choice([rng.randint(32, 0x2FF), rng.randint(0x300, 0x30FF)])))
        out.append(rng.choice(SPACES))
    return "".join(out)


def related(text):
    parts = text.split(" ")
    parts = [p for p in parts if rng.random() < 0.7]
    for _ in range(rng.randint(0, 3)):
        parts.insert(rng.randint(0, len(parts)), rng.choice(WORDS))
    return " ".join(parts)


def rouge_tokens(text):
    return [t for t in re.split("[^a-z0-9]+", text.lower()) if t]


def lcs(a, b):
    row = [0] * (len(b) + 1)
    for x in a:
        previous = row
        row = [0]
        for j, y in enumerate(b):
            row.append(previous[j] + 1 if x == y else max(previous[j + 1], row[j]))
    return row[-1]


def rouge_l(reference, text):
    r, c = rouge_tokens(reference), rouge_tokens(text)
    n = lcs(r, c)
    if n == 0:
        return [0.0, 0.0, 0.0]
    p, q = n / len(c), n / len(r)
    return [p, q, 2 * p * q / (p + q)]


def squad(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def em_letters(text):
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not unicodedata.category(c).startswith("M")).casefold()


def em_words(text):
    """The rules as substitutions on the whole text, the way a reader would try them out."""
    text = em_letters(text)
    quote = "['’ʼ]"
    w = r"(?:(?![_ʼ])\w)"
    letter = r"(?:(?![_ʼ\d])\w)"
    text = re.sub(rf"((?<={w})|(?<={letter}[+#])|(?<={letter}[+#][+#])){quote}s(?!{w})", "\ue001", text)
    text = re.sub(rf"(?<=\d)\.(?=\d)", "\ue000", text)
    text = re.sub(rf"(?<!{w})({letter})((?:\.{letter}(?!{w}))+)", lambda m: m[1] + m[2].replace(".", ""), text)
    text = re.sub(rf"(?<!\d)\d{{1,3}}(?:,\d{{3}}(?!\d))+", lambda m: m[0].replace(",", ""), text)
    text = re.sub(rf"(?<={w}){quote}(?={w})", "", text)
    words = re.findall(rf"(?:{w}|\ue000)+(?:(?<={letter})[+#]+)?", text)
    return [x.replace("\ue000", ".") for x in words]


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def every():
    return (c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and unicodedata.category(chr(c)) != "Cn")


def write(name, value):
    with open(name, "w", encoding="ascii") as f:
        json.dump(value, f, indent=None, separators=(",", ":"))
        f.write("\n")


def lines(name, values):
    with open(name, "w", encoding="ascii") as f:
        for v in values:
            f.write(json.dumps(v, separators=(",", ":")) + "\n")


pairs = []
for _ in range(1500):
    r = some_text(rng.choice([3, 10, 40]))
    t = related(r) if rng.random() < 0.7 else some_text(40)
    pairs.append([r, t, *rouge_l(r, t)])
for _ in range(40):
    r = some_text(200)
    pairs.append([r, related(r), *rouge_l(r, related(r))][:2])
    pairs[-1] += rouge_l(*pairs[-1])
lines("rouge.jsonl", pairs)
lines("squad.jsonl", [[t, squad(t)] for t in (some_text(6) for _ in range(1200))])
lines("words.jsonl", [[t, em_words(t)] for t in (some_text(6) for _ in range(1500))])
write("unicode.json", {
    "assigned": ranges(every()),
    "lower": [[c, chr(c).lower()] for c in every() if chr(c).lower() != chr(c)],
    # Cherokee folds to capitals; only whether two letters fold alike matters.
    "letters": [[c, x] for c in every() for x in [em_letters(chr(c))] if x != chr(c) 
                and not unicodedata.name(chr(c), "").startswith(("CHEROKEE", "HANGUL", "CJK COMPATIBILITY"))],
    "space": ranges(c for c in every() if chr(c).isspace()),
    "word": ranges(c for c in every() if re.match(r"\w", chr(c))),
    "sigma_after": ranges(c for c in every() if ("A" + chr(c) + "Σ").lower().endswith("ς")),
    "cased": ranges(c for c in every() if (chr(c) + "Σ").lower().endswith("ς")),
})
