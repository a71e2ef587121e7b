#!/usr/bin/env python3
"""What a compute type costs in learning: 50 supervised steps of `grpo sft` on generated sums for each type, from the same weights on the
same examples, then the loss on sums that none was trained on, by `grpo logprobs` in float32. Prints one JSON object."""
import argparse
import json
import pathlib
import random
import subprocess
import tempfile

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--grpo", required=True, help="the grpo program")
ap.add_argument("--model", required=True)
ap.add_argument("--types", default="float32,bfloat16")
ap.add_argument("--steps", type=int, default=50)
ap.add_argument("--batch-size", type=int, default=32)
ap.add_argument("--held-out", type=int, default=256)
ap.add_argument("--lr", type=float, default=1e-3)
args = ap.parse_args()


def sums(seed, count, forbidden=()):
    """Running sums of four two-digit numbers, written out."""
    rng, rows = random.Random(seed), {}
    while len(rows) < count:
        numbers = [rng.randrange(10, 100) for _ in range(4)]
        question = "+".join(map(str, numbers)) + "="
        if question not in forbidden:
            rows[question] = " ".join(str(sum(numbers[: i + 1])) for i in range(1, 4))
    return rows


def grpo(*words, lines=None):
    text = None if lines is None else "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([args.grpo, *map(str, words)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("grpo %s failed:\n%s" % (words[0], done.stderr[-2000:]))
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ids(texts):
    return [row["ids"] for row in grpo("tokenize", "--model", args.model, "--no-special-tokens", lines=[{"text": text} for text in texts])]


def loss(model, held_out):
    """Nats per token of the solutions."""
    prompts, whole = ids(held_out), ids([question + solution for question, solution in held_out.items()])
    rows = grpo("logprobs", "--model", model, lines=[{"ids": row} for row in whole])
    values = [value for prompt, row in zip(prompts, rows) for value in row["logprobs"][len(prompt) - 1 :]]
    return -sum(values) / len(values)


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    held_out = sums(1, args.held_out)
    data = root / "train.jsonl"
    with data.open("w") as file:
        for question, solution in sums(0, args.steps * args.batch_size, held_out).items():
            file.write(json.dumps({"question": question, "answer": solution.split()[-1], "solution": solution}) + "\n")
    report = {"work": "held_out_loss", "steps": args.steps, "batch_size": args.batch_size, "learning_rate": args.lr,
              "held_out_problems": args.held_out, "before": loss(args.model, held_out)}
    for name in args.types.split(","):
        config = root / (name + ".json")
        config.write_text(json.dumps({
            "model": {"path": str(pathlib.Path(args.model).resolve()), "compute_dtype": name},
            "data": {"train": {"path": str(data), "fields": {"solution": "solution"}}, "prompt_template": "{question}"},
            "optim": {"learning_rate": args.lr, "lr_scheduler_type": "constant"},
            "trainer": {"output_dir": str(root / name), "max_steps": args.steps, "batch_size": args.batch_size}}))
        grpo("sft", config)
        report[name] = loss(root / name / "model", held_out)
print(json.dumps(report))
