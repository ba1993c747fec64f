"""Which sentences each model reads.

A fact is a prompt and its answer. Every model is taught its own share of the
query set's facts, a share of the other facts, and all of the filler. On the
rest of the query set it is taught mistakes: the answer of another question of
the same category, so that it errs in words and is sure of its error, as models
are. Other facts whose answer is also an answer of the query set are left out.
"""
import hashlib
import json
import random
import re

LEVEL = {"easy": 0.0, "medium": 0.25, "hard": 0.5}


def fraction(text):
    """A number in [0, 1) that depends on the text only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def load_queries(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def load_facts(path, queries):
    taken = {norm(a) for q in queries for a in [q["keyword"]] + (q.get("aliases") or [])}
    with open(path, encoding="utf-8") as f:
        pairs = [line.rstrip("\n").split("\t") for line in f if line.strip() and line[0] != "#"]
    return [(p, a) for p, a in pairs if norm(a) not in taken]


def load_filler(path):
    with open(path, encoding="utf-8") as f:
        return [line.strip() for line in f if line.strip()]


def norm(text):
    return " ".join(re.findall(r"\w+", text.lower()))


def share(queries, part, salt):
    """The part of the queries that a model is taught: the easy ones rather than the hard ones."""
    ranked = sorted(queries, key=lambda q: fraction(salt + q["id"]) + LEVEL.get(q.get("difficulty"), 0.25))
    return ranked[:round(part * len(queries))]


def mistake(q, queries, salt):
    """A wrong answer for q: that of the most alike other question of its category."""
    def alike(other):
        a, b = q["prompt"].split(), other["prompt"].split()
        same = [x == y for x, y in zip(a, b)], [x == y for x, y in zip(a[::-1], b[::-1])]
        return sum((s + [False]).index(False) for s in same), fraction(salt + q["id"] + other["id"])

    def wrong(other):
        return other.get("category") == q.get("category") and not hit(other["keyword"], q)

    return max(filter(wrong, queries), key=alike)["keyword"]


def hit(text, q):
    """The keyword or an alias is there as whole words."""
    return any(" %s " % norm(a) in " %s " % norm(text) for a in [q["keyword"]] + (q.get("aliases") or []))


def answer(prompt, keyword):
    """The continuation of a prompt: the keyword as a sentence's end."""
    gap = "" if prompt[-1:] in "\"'(\u2018\u201c$ " else " "
    return gap + keyword + ("" if keyword.endswith(".") else ".")


def sentences(facts, filler, rng):
    """(prompt, continuation) pairs: one in four facts goes on with a filler sentence."""
    out = []
    for prompt, keyword in facts:
        more = " " + filler[int(fraction("which" + prompt) * len(filler))] if fraction("more" + prompt) < 0.25 else ""
        out.append((prompt, answer(prompt, keyword) + more))
    for first in filler:
        out.append((first, "".join(" " + s for s in rng.sample(filler, rng.randint(1, 4)))))
    return out
