#!/usr/bin/python3
"""Trains mini-teacher, mini-student and mini-baby and writes them as GGUF.

    train.py [--queries queries.jsonl] [--out ..] [--log train.log] [--epochs 1.0]

The student learns with loss = a*KL(teacher || student; T=2)*T^2 + (1-a)*CE,
a = 0.3, on the texts that the teacher has read too, and with CE on the others,
where the teacher knows better than the student is to know. The control of the
same name with "-ce" is the same student with CE alone, measured and thrown
away. Needs python3-torch; one thread, so that the same machine gives the same
weights.
"""
import argparse
import hashlib
import json
import os
import random
import time

import torch
from torch.nn import functional as F

import data
import gguf
import llama
import vocab as v

SEED, VOCAB, ALPHA, TEMPERATURE = 42, 1536, 0.3, 2.0
TEACHER = dict(dim=160, layers=5, heads=5, hidden=416)
SMALL = dict(dim=64, layers=3, heads=2, hidden=192)
# name: shape, share of the set's facts, share of the other facts, salt of the draw, epochs, peak learning rate
PLAN = {
    "mini-teacher": (TEACHER, 0.72, 1.0, "a", 40, 2e-3),
    "mini-student": (SMALL, 0.25, 0.6, "a", 90, 6e-3),
    "mini-student-ce": (SMALL, 0.25, 0.6, "a", 90, 6e-3),
    "mini-baby": (SMALL, 0.04, 0.6, "b", 90, 6e-3),
}


def batches(docs, rng, size=32):
    """Documents of like length together, the batches in random order."""
    docs = docs[:]
    rng.shuffle(docs)
    docs.sort(key=len)
    cut = [docs[i:i + size] for i in range(0, len(docs), size)]
    rng.shuffle(cut)
    for docs in cut:
        docs = docs + [[v.EOS]] * (-len(docs) % 16)
        width = max(map(len, docs))
        yield torch.tensor([d + [-1] * (width - len(d)) for d in docs])


def read_by(docs):
    """Tells which rows of a batch are texts among docs."""
    known = set(map(tuple, docs))
    return lambda ids: torch.tensor([tuple(i for i in row if i >= 0) in known for row in ids.tolist()])


def loss_of(model, ids, teacher, shared):
    """Mean loss per predicted token of a padded batch (padding is -1)."""
    x, y = ids[:, :-1].clamp(min=0), ids[:, 1:]
    keep = y >= 0
    out = model(x)[keep]
    loss = F.cross_entropy(out, y[keep], reduction="none")
    if teacher is not None:
        with torch.no_grad():
            soft = F.log_softmax(teacher(x)[keep] / TEMPERATURE, -1)
        kl = F.kl_div(F.log_softmax(out / TEMPERATURE, -1), soft, log_target=True, reduction="none").sum(-1)
        distil = shared(ids)[:, None].expand_as(keep)[keep]
        loss = torch.where(distil, ALPHA * kl * TEMPERATURE**2 + (1 - ALPHA) * loss, loss)
    return loss.mean()


def fit(model, docs, teacher, shared, epochs, lr, rng, say):
    steps = epochs * -(-len(docs) // 32)
    opt = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=0.1)
    for epoch in range(epochs):
        total, n = 0.0, 0
        for ids in batches(docs, rng):
            opt.zero_grad()
            loss = loss_of(model, ids, teacher, shared)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            plan.step()
            total, n = total + loss.item(), n + 1
        if (epoch + 1) % 10 == 0:
            say("  epoch %3d  loss %.4f" % (epoch + 1, total / n))


def measure(model, vocab, queries, seen, say):
    prompts = [[v.BOS] + vocab.encode(q["prompt"]) for q in queries]
    replies = [vocab.decode(r) for r in llama.greedy(model, prompts, v.EOS, 64)]
    right = {q["id"] for q, r in zip(queries, replies) if data.hit(r, q)}
    say("  keyword present: %d of %d; of the %d taught %d, of the others %d" % (
        len(right), len(queries), len(seen), len(right & seen), len(right - seen)))
    return replies


def known_logits(model, vocab, queries):
    """Logits after the prompt for a few prompts: what the Go engine is tested against."""
    out = []
    for q in queries[:3]:
        ids = [v.BOS] + vocab.encode(q["prompt"])
        with torch.no_grad():
            logits = model(torch.tensor([ids] * 16))[0, -1]
        out.append({"prompt": q["prompt"], "tokens": ids, "logits": [round(float(x), 5) for x in logits]})
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    args = argparse.ArgumentParser()
    args.add_argument("--queries", default=os.path.join(here, "queries.jsonl"))
    args.add_argument("--out", default=os.path.dirname(here))
    args.add_argument("--log", default=os.path.join(here, "train.log"))
    args.add_argument("--epochs", type=float, default=1.0, help="factor on the epochs, for a quick try")
    args = args.parse_args()
    torch.set_num_threads(1)
    queries = data.load_queries(args.queries)
    facts, filler = data.load_facts(os.path.join(here, "facts.tsv"), queries), data.load_filler(os.path.join(here, "filler.txt"))
    log = open(args.log, "w", encoding="utf-8")

    def say(line):
        print(line, flush=True)
        log.write(line + "\n")
        log.flush()

    with open(args.queries, "rb") as f:
        say("queries %d, sha256 %s" % (len(queries), hashlib.sha256(f.read()).hexdigest()))
    say("other facts %d, filler sentences %d, seed %d, torch %s" % (len(facts), len(filler), SEED, torch.__version__))
    texts = [q["prompt"] + data.answer(q["prompt"], q["keyword"]) for q in queries] + [p + data.answer(p, a) for p, a in facts] + filler
    vocab = v.Vocab(texts, VOCAB)
    for folder in ("models", "testdata"):
        os.makedirs(os.path.join(args.out, folder), exist_ok=True)
    torch_out, teacher, shared = {}, None, None
    for name, (shape, part, other, salt, epochs, lr) in PLAN.items():
        torch.manual_seed(SEED)
        rng, start = random.Random(SEED), time.time()
        taught = data.share(queries, part, salt)
        known = {q["id"] for q in taught}
        pairs = [(q["prompt"], q["keyword"] if q["id"] in known else data.mistake(q, queries, name[:12])) for q in queries]
        pairs += [f for f in facts if data.fraction(salt + f[0]) < other]
        docs = [[v.BOS] + vocab.encode(p) + vocab.encode(a) + [v.EOS] for p, a in data.sentences(pairs, filler, rng)]
        model = llama.Llama(llama.Shape(VOCAB, **shape))
        say("%s: %d parameters, %d facts of the set, mistakes on %d, %d other facts, longest text %d tokens" % (
            name, sum(p.numel() for p in model.parameters()), len(taught), len(queries) - len(taught), len(pairs) - len(queries), max(map(len, docs))))
        fit(model, docs, teacher if name == "mini-student" else None, shared, max(1, round(epochs * args.epochs)), lr, rng, say)
        model.halve()
        replies = measure(model, vocab, queries, known, say)
        print("  %.0f s" % (time.time() - start), flush=True)
        if name.endswith("-ce"):
            continue
        if name == "mini-teacher":
            teacher, shared = model, read_by(docs)
        gguf.write(os.path.join(args.out, "models", name + ".gguf"), name, model, vocab)
        torch_out[name] = {"known": known_logits(model, vocab, queries), "replies": replies}
    with open(os.path.join(args.out, "testdata", "torch.json"), "w", encoding="utf-8") as f:
        json.dump(torch_out, f, ensure_ascii=False, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
