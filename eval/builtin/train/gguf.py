"""Writes a model as a GGUF file (version 3) that llama.cpp and Ollama serve."""
import struct

ALIGN = 32
U32, F32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
TENSOR_F32, TENSOR_F16 = 0, 1
PACK = {U32: "<I", F32: "<f", BOOL: "<?", 5: "<i"}
I32 = 5


def text(s):
    raw = s.encode()
    return struct.pack("<Q", len(raw)) + raw


def scalar(kind, v):
    return text(v) if kind == STRING else struct.pack(PACK[kind], v)


def pair(key, kind, v):
    return text(key) + struct.pack("<I", kind) + scalar(kind, v)


def array(key, kind, values):
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(scalar(kind, v) for v in values)


def metadata(name, s, vocab):
    return [
        pair("general.architecture", STRING, "llama"),
        pair("general.name", STRING, name),
        pair("general.file_type", U32, 1),
        pair("general.license", STRING, "mit"),
        pair("llama.context_length", U32, s.context),
        pair("llama.embedding_length", U32, s.dim),
        pair("llama.block_count", U32, s.layers),
        pair("llama.feed_forward_length", U32, s.hidden),
        pair("llama.attention.head_count", U32, s.heads),
        pair("llama.attention.head_count_kv", U32, s.heads),
        pair("llama.attention.layer_norm_rms_epsilon", F32, s.eps),
        pair("llama.rope.dimension_count", U32, s.head_dim),
        pair("llama.rope.freq_base", F32, s.base),
        pair("llama.vocab_size", U32, s.vocab),
        pair("tokenizer.ggml.model", STRING, "llama"),
        array("tokenizer.ggml.tokens", STRING, vocab.tokens),
        array("tokenizer.ggml.scores", F32, vocab.scores),
        array("tokenizer.ggml.token_type", I32, vocab.types),
        pair("tokenizer.ggml.bos_token_id", U32, 1),
        pair("tokenizer.ggml.eos_token_id", U32, 2),
        pair("tokenizer.ggml.unknown_token_id", U32, 0),
        pair("tokenizer.ggml.add_bos_token", BOOL, True),
        pair("tokenizer.ggml.add_eos_token", BOOL, False),
        pair("tokenizer.ggml.add_space_prefix", BOOL, False),
    ]


def pad(n):
    return -n % ALIGN


def write(path, name, model, vocab):
    """One file: metadata, tensor table, data; matrices in F16, norms in F32."""
    meta, table, data = metadata(name, model.s, vocab), [], b""
    for key, p in sorted(model.w.items()):
        half = p.dim() == 2
        array_ = p.detach().numpy().astype("<f2" if half else "<f4")
        dims = array_.shape[::-1]
        table.append(text(key.replace(":", ".") + ".weight") + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, TENSOR_F16 if half else TENSOR_F32, len(data)))
        raw = array_.tobytes()
        data += raw + bytes(pad(len(raw)))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(table), len(meta)) + b"".join(meta) + b"".join(table)
    with open(path, "wb") as f:
        f.write(head + bytes(pad(len(head))) + data)
