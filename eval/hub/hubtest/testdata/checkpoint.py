"""Writes pytorch_model.bin: a LLaMA of two layers of 64 with random weights, as
torch.save does. Run it as: python3 checkpoint.py pytorch_model.bin

It holds what real checkpoints hold and a reader may get wrong: float16, float32
and bfloat16, a tensor under two names, a transposed view, and the rotary
frequencies that older versions of transformers stored.
"""
import collections
import sys

import torch

torch.manual_seed(7)
WIDTH, LAYERS, VOCAB = 64, 2, 260


def matrix(rows, columns, dtype=torch.float16):
    return (torch.randn(rows, columns) / columns**0.5).to(dtype)


state = collections.OrderedDict()
state["model.embed_tokens.weight"] = matrix(VOCAB, WIDTH)
for i in range(LAYERS):
    layer = f"model.layers.{i}."
    state[layer + "self_attn.q_proj.weight"] = matrix(WIDTH, WIDTH)
    state[layer + "self_attn.k_proj.weight"] = matrix(WIDTH, WIDTH).t()
    state[layer + "self_attn.v_proj.weight"] = matrix(WIDTH, WIDTH, torch.bfloat16)
    state[layer + "self_attn.o_proj.weight"] = matrix(WIDTH, WIDTH)
    state[layer + "self_attn.rotary_emb.inv_freq"] = 1 / 10000 ** (torch.arange(0, 32, 2) / 32)
    state[layer + "mlp.gate_proj.weight"] = matrix(WIDTH, WIDTH)
    state[layer + "mlp.up_proj.weight"] = matrix(WIDTH, WIDTH)
    state[layer + "mlp.down_proj.weight"] = matrix(WIDTH, WIDTH)
    state[layer + "input_layernorm.weight"] = torch.ones(WIDTH)
    state[layer + "post_attention_layernorm.weight"] = torch.ones(WIDTH)
state["model.norm.weight"] = torch.ones(WIDTH)
state["lm_head.weight"] = state["model.embed_tokens.weight"]
torch.save(state, sys.argv[1])

# For the test of the reader: the sums of one tensor of each kind.
for name in ("lm_head.weight", "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight", "model.norm.weight"):
    t = state[name].float()
    print(name, tuple(t.shape), "%.6f" % t.double().sum(), "%.6f" % t[-1].sum() if t.dim() == 1 else "%.6f %.6f" % (t[0, 1], t[1, 0]))
