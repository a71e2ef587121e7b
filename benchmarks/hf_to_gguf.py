#!/usr/bin/env python3
"""A Llama model folder as a GGUF file for llama.cpp: hf_to_gguf.py FOLDER OUT [F32|F16|BF16|Q8_0|Q4_0]. Only what decoding needs: the
tokenizer is the list of tokens. Matrices are of the type that is asked for, vectors float32."""
import json
import pathlib
import sys

import gguf
import numpy
from safetensors.numpy import load_file

NAMES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
TOP = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def gguf_name(name):
    if name in TOP:
        return TOP[name]
    _, _, layer, rest = name.split(".", 3)
    return "blk.%s.%s.weight" % (layer, NAMES[rest.removesuffix(".weight")])


def interleaved(weight, heads):
    """Rows of a rotated projection: llama.cpp pairs dimensions (2i, 2i+1) where transformers pairs (i, i + d/2)."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write(folder, out, type_name):
    kind = gguf.GGMLQuantizationType[type_name]
    config = json.loads((folder / "config.json").read_text())
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_vocab_size(config["vocab_size"])
    vocab = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(vocab, key=vocab.get))
    writer.add_token_types([gguf.TokenType.NORMAL] * len(vocab))
    writer.add_token_merges(["a b"])  # llama.cpp refuses a list of none
    for shard in sorted(folder.glob("*.safetensors")):
        for name, weight in load_file(shard).items():
            weight = weight.astype(numpy.float32)
            if "q_proj" in name or "k_proj" in name:
                weight = interleaved(weight, heads if "q_proj" in name else kv_heads)
            weight = numpy.ascontiguousarray(weight)
            if weight.ndim < 2 or kind == gguf.GGMLQuantizationType.F32:
                writer.add_tensor(gguf_name(name), weight)
            else:
                writer.add_tensor(gguf_name(name), gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]), sys.argv[2], (sys.argv[3:] or ["F32"])[0])
