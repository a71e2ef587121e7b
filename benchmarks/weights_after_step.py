#!/usr/bin/env python3
"""One optimiser step of TRL's GRPOTrainer, then ours on the very rollouts that TRL sampled; compares prompt ids, rewards and the weights.

Prints one JSON object; "equal" says whether all agree: prompt ids exactly, rewards to 1e-6, weights as the parity tests ask (every one to
1e-4, all but a thousandth to 1e-6). Both sides take an epsilon of 1e-6 in AdamW: at 1e-8 its first step moves weights by the whole learning rate
in the direction of gradients that are rounding noise (rows of a large vocabulary). TRL samples without the padding id: transformers' embedding gives that id no gradient as an input.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--model", required=True)
ap.add_argument("--prompts", required=True)
ap.add_argument("--update", required=True, help="the benchmark_update program")
ap.add_argument("--prompts-per-step", type=int, default=16)
ap.add_argument("--num-generations", type=int, default=8)
ap.add_argument("--max-completion-length", type=int, default=64)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--lr", type=float, default=1e-4)
ap.add_argument("--adam-epsilon", type=float, default=1e-6, help="AdamW's first step moves a weight by lr * g / (|g| + epsilon)")
args = ap.parse_args()
os.environ.update(OMP_NUM_THREADS=str(args.threads), MKL_NUM_THREADS=str(args.threads), CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1",
                  TOKENIZERS_PARALLELISM="false")

import torch
import transformers
from datasets import Dataset
from safetensors.torch import load_file
from trl import GRPOConfig, GRPOTrainer

torch.set_num_threads(args.threads)
transformers.logging.set_verbosity_error()
captured = {"num_generations": args.num_generations}


def digit_fraction(prompts, completions, **_):
    captured["prompts"] = prompts
    captured["rewards"] = [sum("0" <= c <= "9" for c in text) / max(1, len(text)) for text in completions]
    return captured["rewards"]


class Recorder(GRPOTrainer):
    """Keeps the rollouts as token ids, before the trainer shuffles them."""

    def _generate_and_score_completions(self, *a, **k):
        out = super()._generate_and_score_completions(*a, **k)
        for name in ("prompt", "completion"):
            masks = out[name + "_mask"].bool()
            captured[name + "_ids"] = [ids[mask].tolist() for ids, mask in zip(out[name + "_ids"], masks)]
        return out


def trl_step(folder):
    """The weights after TRL's step, by name."""
    with open(args.prompts) as f:
        data = [json.loads(line) for line in f if line.strip()]
    padding = json.loads((pathlib.Path(args.model) / "config.json").read_text())["pad_token_id"]
    batch = args.prompts_per_step * args.num_generations
    config = GRPOConfig(output_dir=folder, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True, logging_strategy="no",
                        max_steps=1, shuffle_dataset=False, per_device_train_batch_size=batch, num_generations=args.num_generations,
                        max_completion_length=args.max_completion_length, beta=0.0, learning_rate=args.lr, adam_epsilon=args.adam_epsilon, lr_scheduler_type="constant",
                        loss_type="dapo", temperature=1.0, bf16=False, gradient_checkpointing=False,
                        generation_kwargs={"min_new_tokens": args.max_completion_length, "suppress_tokens": [padding]}, model_init_kwargs={"dtype": "float32"})
    trainer = Recorder(model=args.model, reward_funcs=digit_fraction, args=config, train_dataset=Dataset.from_list(data[: args.prompts_per_step]))
    trainer.train()
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def our_step(folder):
    """What our program says, and the weights after its step."""
    rollouts, saved = folder / "rollouts.json", folder / "ours"
    rollouts.write_text(json.dumps(captured))
    done = subprocess.run([args.update, "--model", args.model, "--rollouts", str(rollouts), "--save", str(saved), "--lr", str(args.lr), "--adam-epsilon", str(args.adam_epsilon),
                           "--threads", str(args.threads)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    weights = {}
    for shard in saved.glob("*.safetensors"):
        weights.update(load_file(shard))
    return json.loads(done.stdout.splitlines()[-1]), weights


def differences(a, b):
    """Largest difference, and the share of elements that differ by more than 1e-6."""
    largest, beyond, total = 0.0, 0, 0
    for name, value in a.items():
        d = (value - b[name]).abs()
        largest = max(largest, d.max().item())
        beyond += (d > 1e-6).sum().item()
        total += d.numel()
    return largest, beyond / total


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        theirs = trl_step(name)
        row, ours = our_step(folder)
        before = {}
        for shard in pathlib.Path(args.model).glob("*.safetensors"):
            before.update(load_file(shard))
    largest, share = differences(theirs, ours)
    moved, moved_share = differences(theirs, before)
    equal = row["prompt_ids_equal"] and row["reward_difference"] <= 1e-6 and largest < 1e-4 and share < 1e-3
    print(json.dumps({"equal": equal and moved_share > 0.5, "prompt_ids_equal": row["prompt_ids_equal"],
                      "reward_difference": row["reward_difference"], "trained_tokens": row["trained_tokens"],
                      "weights_largest_difference": largest, "weights_share_beyond_1e-6": share,
                      "step_largest_change": moved, "step_share_beyond_1e-6": moved_share}))


if __name__ == "__main__":
    main()
