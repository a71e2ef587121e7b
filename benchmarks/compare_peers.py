"""The comparison behind compare_peers.sh: makes the models, runs each workload's two sides in turn, checks that their work was equal, and
writes a JSON file of ratios with their spread; workloads that are not run keep their entries."""
import argparse
import datetime
import json
import pathlib
import shlex
import statistics
import subprocess
import sys

import runs

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Whole GRPO steps against TRL's: target = least ratio of step times.
STEPS = {
    "step_tiny_1m": dict(shape="tiny-1m", prompt=16, prompts=16, generations=8, completion=64, steps=4, target=2.5, target_bf16=4.0),
    "step_tiny_6m": dict(shape="tiny-6m", prompt=16, prompts=16, generations=8, completion=64, steps=3, target=2.0, target_bf16=3.0),
    "step_smollm2_135m": dict(shape="smollm2-135m", prompt=64, prompts=4, generations=8, completion=64, steps=2, target=2.5, target_bf16=4.0,
                              target_floor=0.5, target_memory=2.0, held_out=dict(batch_size=8, held_out=64, lr=3e-4)),
}
# Further rows of a step: our other compute types against the peer's float32.
TYPES = {"bfloat16": ["--compute-dtype", "bfloat16"], "bfloat16_int8": ["--compute-dtype", "bfloat16", "--rollout-dtype", "int8"]}
# Decoding: target = least ratio of tokens per second to the best of the peer's variants (of llama.cpp's types: of our best type).
DECODE_TYPES = ("float32", "bfloat16", "int8")
DECODES = {
    "decode_tiny_1m": dict(shape="tiny-1m", batch=128, prompt=16, new=64, variants="dynamic,static,loop", target=4.0),
    "decode_smollm2_135m": dict(shape="smollm2-135m", batch=32, prompt=64, new=64, variants="dynamic,static", target=3.0),
    "decode_qwen2_0_5b": dict(shape="qwen2.5-0.5b", batch=16, prompt=64, new=32, variants="dynamic", target=3.0),
}
LLAMA = {"llama_cpp_smollm2_135m": dict(shape="smollm2-135m", batch=32, prompt=64, new=64, target=2.0, types="F32,BF16,Q8_0,Q4_0")}
GAP = ("logp_difference_mean", "logp_difference_max")  # sampler's and trainer's log-probs
ALONE = ("startup", "memory")
WORKLOADS = [*STEPS, *DECODES, *LLAMA, *ALONE]

STARTUP_TARGET_S, MEMORY_TARGET_MIB = 0.7, 64.0


class Unequal(Exception):
    """The two sides did not do the same work."""


class Bench:
    def __init__(self, args):
        self.args = args
        self.build = pathlib.Path(args.build).resolve()
        self.work = pathlib.Path(args.work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)

    def run(self, command, timed=True):
        """The JSON lines that a command prints (TRL also prints Python ones); timed ones run under --wrap."""
        words = (shlex.split(self.args.wrap) if timed else []) + [str(w) for w in command]
        print("  $", shlex.join(words), file=sys.stderr, flush=True)
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("%s failed:\n%s" % (shlex.join(words), done.stderr[-2000:] or done.stdout[-2000:]))
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]

    def ours(self, program, *flags):
        return self.run([self.build / "benchmarks" / ("benchmark_" + program), *flags])

    def peer(self, script, *flags, timed=True):
        return self.run([self.args.python, pathlib.Path(self.args.peers) / script, *flags], timed)

    def model(self, shape, prompt_length):
        """A model folder and a file of prompts, made once."""
        folder, prompts = self.work / shape, self.work / ("%s-%d.jsonl" % (shape, prompt_length))
        if not prompts.exists():
            self.peer("make_tiny_model.py", "--shape", shape, "--out", folder, "--prompts-out", prompts, "--prompt-len", prompt_length,
                      timed=False)
        return folder, prompts

    def gguf(self, shape, prompt_length, kind):
        path = self.work / ("%s-%s.gguf" % (shape, kind))
        if not path.exists():
            self.run([self.args.python, ROOT / "benchmarks" / "hf_to_gguf.py", self.model(shape, prompt_length)[0], path, kind], timed=False)
        return path


def summaries(rows):
    return [row for row in rows if row.get("summary") and "error" not in row]


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def check_equal(what, peer, ours):
    if peer != ours:
        raise Unequal("%s: the peer's %s, ours %s" % (what, peer, ours))


def busy(rows, threads):
    """Whether another process took processor time: the CPU seconds of some step fall short of its threads."""
    return any(row.get("cpu_per_wall", threads) < 0.85 * threads for row in rows if not row.get("summary"))


def compare_steps(bench, w):
    folder, prompts = bench.model(w["shape"], w["prompt"])
    flags = ["--model", folder, "--prompts", prompts, "--prompts-per-step", w["prompts"], "--num-generations", w["generations"],
             "--max-completion-length", w["completion"], "--threads", bench.args.threads]
    weights = bench.run([bench.args.python, ROOT / "benchmarks" / "weights_after_step.py", *flags, "--update",
                         bench.build / "benchmarks" / "benchmark_update"])[-1]
    if not weights["equal"]:
        raise Unequal("one update on the same rollouts: %s" % json.dumps(weights))
    held_out = [word for key, value in w.get("held_out", {}).items() for word in ("--" + key.replace("_", "-"), value)]
    losses = bench.run([sys.executable, ROOT / "benchmarks" / "held_out_loss.py", "--grpo", bench.build / "bin" / "grpo", "--model", folder,
                        *held_out], timed=False)[-1]
    rounds, flags = [], flags + ["--steps", w["steps"]]
    for _ in range(bench.args.rounds):
        peer = bench.peer("trl_grpo_step.py", *flags, "--min-new-tokens-fixed", "--dtype", "float32")
        ours = bench.ours("grpo_step", *flags, "--floor")
        typed = {name: bench.ours("grpo_step", *flags, *type_flags) for name, type_flags in TYPES.items()}
        for name, mine in [("float32", ours), *typed.items()]:
            if not name.startswith(mine[-1]["compute_dtype"]):
                raise Unequal("%s: the trainer computed in %s" % (name, mine[-1]["compute_dtype"]))
            for field in ("generated_tokens", "trained_tokens"):
                check_equal(field + " of each update", [row[field] for row in peer if not row.get("summary")],
                            [row[field] for row in mine if not row.get("summary")])
        p, o = peer[-1], ours[-1]
        rounds.append({"ratio": p["step_s_min"] / o["step_s_min"], "ratio_generation": p["generation_s_min"] / o["generation_s_min"],
                       "ratio_update": p["update_s_min"] / o["update_s_min"], "ratio_memory": p["peak_rss_mb"] / o["peak_rss_mb"],
                       "share_of_floor": o["share_of_floor"], "busy": busy(peer + ours, bench.args.threads),
                       "peer": {k: p[k] for k in ("step_s_min", "step_s_max", "generation_s_min", "update_s_min", "peak_rss_mb")},
                       "ours": {k: o[k] for k in ("step_s_min", "step_s_max", "generation_s_min", "update_s_min", "peak_rss_mb",
                                                  "decode_floor_s", "train_floor_s", "limits", *GAP)},
                       "types": {name: {"ratio": p["step_s_min"] / rows[-1]["step_s_min"],
                                        **{k: rows[-1][k] for k in ("step_s_min", "generation_s_min", "update_s_min", "peak_rss_mb", *GAP)}}
                                 for name, rows in typed.items()}})
    result = {"equal": {"updates": w["steps"], "tokens_per_update": w["prompts"] * w["generations"] * w["completion"], "weights": weights},
              "held_out_loss": losses, "rounds": rounds}
    for key in ("ratio", "ratio_generation", "ratio_update", "ratio_memory", "share_of_floor"):
        result[key] = spread([r[key] for r in rounds])
    for name in TYPES:
        result["ratio_" + name] = spread([r["types"][name]["ratio"] for r in rounds])
    met = result["ratio"]["median"] >= w["target"] and result["share_of_floor"]["median"] >= w.get("target_floor", 0.0)
    met = met and result["ratio_bfloat16"]["median"] >= w["target_bf16"]
    result["met"] = met and result["ratio_memory"]["median"] >= w.get("target_memory", 0.0)
    return result


def compare_decoding(bench, w, peer_rows, best_type):
    """`peer_rows()` gives the peer's summaries, tokens per second under the names of hf_generate.py, and whether it was disturbed. The ratio
    is our float32's, or with `best_type` our best type's."""
    folder, _ = bench.model(w["shape"], w["prompt"])
    keys = ("tokens_per_s_decode", "tokens_per_s_with_prefill")
    rounds = []
    for _ in range(bench.args.rounds):
        peer, peer_busy = peer_rows()
        types, disturbed = {}, peer_busy
        for dtype in DECODE_TYPES:
            ours = bench.ours("decode", "--model", folder, "--batch", w["batch"], "--prompt-len", w["prompt"], "--new-tokens", w["new"],
                              "--threads", bench.args.threads, "--dtype", dtype, *(["--floor"] if dtype == "float32" else []))
            for row in ours[:-1]:
                check_equal("generated tokens", w["batch"] * w["new"], row["generated_tokens"])
            types[dtype] = ours[-1]
            disturbed = disturbed or busy(ours[1:], bench.args.threads)
        best = {key: max(row[key] for row in peer) for key in keys}
        mine = {key: max(types[t][key] for t in (DECODE_TYPES if best_type else ("float32",))) for key in keys}
        rounds.append({"ratio": mine["tokens_per_s_decode"] / best["tokens_per_s_decode"],
                       "ratio_with_prefill": mine["tokens_per_s_with_prefill"] / best["tokens_per_s_with_prefill"],
                       "share_of_floor": types["float32"]["share_of_floor"], "limits": types["float32"]["limits"], "busy": disturbed,
                       "peer": best, "peer_rows": [{key: row[key] for key in (*keys, "variant", "type", "sample") if key in row} for row in peer],
                       "ours": {t: {key: types[t][key] for key in keys} for t in DECODE_TYPES}})
    result = {"equal": {"tokens": w["batch"] * w["new"]}, "rounds": rounds}
    for key in ("ratio", "ratio_with_prefill", "share_of_floor"):
        result[key] = spread([r[key] for r in rounds])
    result["met"] = result["ratio"]["median"] >= w["target"]
    return result


def compare_hf(bench, w):
    folder, _ = bench.model(w["shape"], w["prompt"])

    def peer():
        rows = bench.peer("hf_generate.py", "--model", folder, "--batch", w["batch"], "--prompt-len", w["prompt"], "--new-tokens", w["new"],
                          "--variants", w["variants"], "--threads", bench.args.threads)
        good = summaries(rows)
        check_equal("variants that ran", sorted(w["variants"].split(",")), sorted(row["variant"] for row in good))
        for row in good:
            check_equal("batch and new tokens", [row["batch"], row["new_tokens"]], [w["batch"], w["new"]])
        return good, busy([row for row in rows if row.get("run", 0) > 0], bench.args.threads)

    return compare_decoding(bench, w, peer, best_type=False)


def compare_llama(bench, w):
    def peer():
        good = []
        for kind in w["types"].split(","):
            gguf = bench.gguf(w["shape"], w["prompt"], kind)
            for sample in ("none", "llama"):  # pure decoding, and with its sampler
                rows = bench.peer("llama_cpp_decode.py", "--gguf", gguf, "--sequences", w["batch"], "--prompt-len", w["prompt"],
                                  "--new-tokens", w["new"], "--threads", bench.args.threads, "--sample", sample)
                good += [{**row, "type": kind, "sample": sample} for row in summaries(rows)]
        for row in good:
            check_equal("sequences and new tokens", [row["sequences"], row["new_tokens"]], [w["batch"], w["new"]])
        return good, False

    return compare_decoding(bench, w, peer, best_type=True)


def measure_startup(bench):
    folder, _ = bench.model("tiny-1m", 16)
    row = {**bench.ours("startup", "--program", bench.build / "bin" / "grpo", "--model", folder)[-1], "model": folder.name}
    return {"rounds": [row], "target_s": STARTUP_TARGET_S, "met": row["first_token_s_min"] <= STARTUP_TARGET_S}


def measure_memory(bench):
    rows = bench.ours("memory", "--threads", bench.args.threads)
    extra = max(row["extra_mib"] for row in rows if "extra_mib" in row)
    return {"rounds": rows, "target_mib": MEMORY_TARGET_MIB, "met": extra <= MEMORY_TARGET_MIB}


def measure(bench, name):
    if name in STEPS:
        return {**STEPS[name], **compare_steps(bench, STEPS[name])}
    if name in DECODES:
        return {**DECODES[name], **compare_hf(bench, DECODES[name])}
    if name in LLAMA:
        return {**LLAMA[name], **compare_llama(bench, LLAMA[name])}
    return measure_startup(bench) if name == "startup" else measure_memory(bench)


def describe(name, result):
    text = "%-24s %s" % (name, "met   " if result["met"] else "MISSED")
    for key in ("ratio", "ratio_generation", "ratio_update", "ratio_with_prefill", "ratio_memory", "share_of_floor",
                *("ratio_" + name for name in TYPES)):
        if key in result:
            text += "  %s %.2f [%.2f, %.2f]" % (key, result[key]["median"], result[key]["min"], result[key]["max"])
    if any(r.get("busy") for r in result["rounds"]):
        text += "  (the machine was busy)"
    return text


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--peers", required=True, help="folder of the peers' scripts")
    ap.add_argument("--python", required=True, help="the Python that has torch, transformers, trl (and llama_cpp, gguf)")
    ap.add_argument("--build", default=str(ROOT / "build" / "cpu"), help="build folder, configured with GRPO_BUILD_BENCHMARKS=ON")
    ap.add_argument("--work", default=str(ROOT / "build" / "compare_peers"), help="where models are made")
    ap.add_argument("--out", default=str(ROOT / "benchmarks" / "results" / "compare_peers.json"))
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--wrap", default="", help="put before every timed command, for example taskset -c 0,1")
    ap.add_argument("--workloads", default=",".join(WORKLOADS), help="comma list of " + ", ".join(WORKLOADS))
    args = ap.parse_args()
    names = args.workloads.split(",")
    for name in names:
        if name not in WORKLOADS:
            ap.error("expected workloads of %s; got %s" % (", ".join(WORKLOADS), name))
    bench = Bench(args)
    out = pathlib.Path(args.out)
    report = json.loads(out.read_text()) if out.exists() else {}
    for name in names:
        command = "benchmarks/compare_peers.sh --rounds %d --threads %d --workloads %s" % (args.rounds, args.threads, name)
        try:
            result = measure(bench, name)
        except Unequal as fault:
            raise SystemExit("%s: the work was not equal: %s" % (name, fault))
        report[name] = {**runs.provenance(command), "date": datetime.date.today().isoformat(), **result}
        print(describe(name, result), flush=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        runs.write_json(out, report)


if __name__ == "__main__":
    main()
