"""The LLaMA block in torch, and its greedy decoding."""
import math

import torch
from torch.nn import functional as F


def linear(x, w):
    """x (B, T, in) times w (out, in) transposed, as a channels-last 1x1 convolution.

    Debian's torch has no tuned matrix product but a tuned convolution: with 16
    rows or more this is thirty times faster than F.linear.
    """
    y = F.conv2d(x.unsqueeze(2).permute(0, 3, 1, 2), w.view(*w.shape, 1, 1))
    return y.permute(0, 2, 3, 1).squeeze(2)


class Shape:
    """Sizes of a model; eps and base as in LLaMA."""

    def __init__(self, vocab, dim, layers, heads, hidden, context=128):
        self.vocab, self.dim, self.layers, self.heads, self.hidden, self.context = vocab, dim, layers, heads, hidden, context
        self.head_dim, self.eps, self.base = dim // heads, 1e-5, 10000.0


class Llama(torch.nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.w = torch.nn.ParameterDict()
        matrix = lambda name, rows, cols: self.w.update({name: torch.nn.Parameter(torch.randn(rows, cols) * cols**-0.5)})
        scale = lambda name: self.w.update({name: torch.nn.Parameter(torch.ones(s.dim))})
        matrix("token_embd", s.vocab, s.dim)
        for i in range(s.layers):
            scale("blk:%d:attn_norm" % i)
            scale("blk:%d:ffn_norm" % i)
            for n in ("attn_q", "attn_k", "attn_v", "attn_output"):
                matrix("blk:%d:%s" % (i, n), s.dim, s.dim)
            matrix("blk:%d:ffn_gate" % i, s.hidden, s.dim)
            matrix("blk:%d:ffn_up" % i, s.hidden, s.dim)
            matrix("blk:%d:ffn_down" % i, s.dim, s.hidden)
        scale("output_norm")
        matrix("output", s.vocab, s.dim)
        angle = torch.arange(s.context)[:, None] * s.base ** (-torch.arange(0, s.head_dim, 2) / s.head_dim)
        self.cos, self.sin = angle.cos(), angle.sin()

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.s.eps) * self.w[name]

    def rotate(self, x):
        """Rotary positions on interleaved pairs, as llama.cpp's llama architecture has them."""
        t = x.shape[2]
        a, b, cos, sin = x[..., 0::2], x[..., 1::2], self.cos[:t], self.sin[:t]
        return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)

    def attend(self, x, blk):
        b, t, d = x.shape
        split = lambda n: linear(x, self.w[blk + n]).reshape(b, t, self.s.heads, self.s.head_dim).transpose(1, 2)
        q, k, v = self.rotate(split("attn_q")), self.rotate(split("attn_k")), split("attn_v")
        score = q @ k.transpose(2, 3) / math.sqrt(self.s.head_dim)
        score = score + torch.full((t, t), float("-inf")).triu(1)
        return linear((score.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d), self.w[blk + "attn_output"])

    def forward(self, ids):
        x = self.w["token_embd"][ids]
        for i in range(self.s.layers):
            blk = "blk:%d:" % i
            x = x + self.attend(self.norm(x, blk + "attn_norm"), blk)
            h = self.norm(x, blk + "ffn_norm")
            x = x + linear(F.silu(linear(h, self.w[blk + "ffn_gate"])) * linear(h, self.w[blk + "ffn_up"]), self.w[blk + "ffn_down"])
        return linear(self.norm(x, "output_norm"), self.w["output"])

    def halve(self):
        """Round the matrices to F16, the precision that the file holds."""
        with torch.no_grad():
            for p in self.w.values():
                if p.dim() == 2:
                    p.copy_(p.half().float())


def greedy(model, prompts, eos, limit):
    """The most probable continuation of each list of ids, up to eos or limit tokens."""
    seqs, live = [list(p) for p in prompts], list(range(len(prompts)))
    done = [False] * len(prompts)
    with torch.no_grad():
        for _ in range(limit):
            live = [i for i in live if not done[i]]
            if not live:
                break
            width = max(len(seqs[i]) for i in live)
            rows = live + [live[0]] * (-len(live) % 16)
            logits = model(torch.tensor([seqs[i] + [0] * (width - len(seqs[i])) for i in rows]))
            for r, i in enumerate(live):
                best = int(logits[r, len(seqs[i]) - 1].argmax())
                done[i] = best == eos
                if not done[i]:
                    seqs[i].append(best)
    return [s[len(p):] for s, p in zip(seqs, prompts)]
