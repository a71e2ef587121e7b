#!/usr/bin/env python3
"""Writes k_quants.json: one block of random bytes for each K type, and its values by ggml's own Python package (pip install gguf==0.19.0)."""
import json
import pathlib

import gguf
import numpy

rng = numpy.random.default_rng(11)
halves = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}  # offsets of the block's binary16 scales
cases = []
for name, offsets in halves.items():
    kind = gguf.GGMLQuantizationType[name]
    block = rng.integers(0, 256, gguf.GGML_QUANT_SIZES[kind][1], dtype=numpy.uint8)
    for offset in offsets:
        block[offset : offset + 2] = numpy.frombuffer(numpy.float16(rng.uniform(0.01, 2.0)).tobytes(), numpy.uint8)
    values = gguf.quants.dequantize(block, kind)
    cases.append({"name": name, "type": int(kind), "bytes": block.tolist(), "values": [float(v) for v in values]})
text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
(pathlib.Path(__file__).parent / "k_quants.json").write_text("[\n" + text + "\n]\n")
