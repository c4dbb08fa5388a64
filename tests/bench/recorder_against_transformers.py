#!/usr/bin/env python3
"""Times Lil's decoding against Hugging Face transformers, and checks that both write the same tokens.

    recorder_against_transformers.py BENCH MODEL [--threads 2] [--tokens 128] [--batch 16] [--dtypes fp32,bf16]
                                     [--rounds 3] [--contexts 1024,8192] [--policies full,'sink(budget=256)',…]

BENCH is the program recorder_bench, MODEL a Hugging Face folder. Same weights, same dtype, same threads for both,
one after the other in each of --rounds rounds; of each the best round counts. Prompts are made-up token ids of 32
to 47 tokens. Rates are of decoding alone, without the prompt. In fp32 every token must be the same, or the exit
status is 1; in bf16 transformers sums in other orders, and the table says how many tokens agree.

With --contexts, a second table has the median time of a step after prompts of these lengths, for each policy.
Needs torch and transformers in the Python that runs it.
"""
import argparse
import json
import os
import subprocess
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def made_up_prompts(count: int, vocabulary: int) -> list[list[int]]:
    # One length in a batch: transformers would have to pad others.
    length = 32 if count > 1 else 40
    return [[(17 + 7919 * (i + 131 * row)) % vocabulary for i in range(length)] for row in range(count)]


def decode_with_transformers(model, prompts: list[list[int]], tokens: int) -> tuple[float, list[list[int]]]:
    with torch.inference_mode():
        output = model(torch.tensor(prompts), use_cache=True)
        chosen = [output.logits[:, -1].argmax(-1)]
        start = time.perf_counter()
        for _ in range(tokens - 1):
            output = model(chosen[-1][:, None], past_key_values=output.past_key_values, use_cache=True)
            chosen.append(output.logits[:, -1].argmax(-1))
        seconds = time.perf_counter() - start
    return seconds, torch.stack(chosen, 1).tolist()


def decode_with_lil(arguments, dtype: str, prompts: list[list[int]]) -> tuple[float, list[list[int]]]:
    lines = "\n".join(" ".join(map(str, prompt)) for prompt in prompts)
    command = [arguments.bench, arguments.model, dtype, str(arguments.threads), "stream", str(arguments.tokens)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    return result["decode_s"], result["tokens"]


def agreeing(ours: list[list[int]], theirs: list[list[int]]) -> int:
    """Tokens before the first that differs, over all sequences."""
    total = 0
    for a, b in zip(ours, theirs):
        same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), len(a))
        total += same
    return total


def compare_rates(arguments) -> bool:
    good = True
    print(f"{'dtype':<6} {'batch':>5} {'transformers tok/s':>19} {'lil tok/s':>10} {'ratio':>6} {'same tokens':>14}")
    for dtype in arguments.dtypes.split(","):
        model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=DTYPES[dtype]).eval()
        for batch in (1, arguments.batch):
            prompts = made_up_prompts(batch, model.config.vocab_size)
            theirs_s, ours_s = float("inf"), float("inf")
            for _ in range(arguments.rounds):
                seconds, theirs = decode_with_transformers(model, prompts, arguments.tokens)
                theirs_s = min(theirs_s, seconds)
                seconds, ours = decode_with_lil(arguments, dtype, prompts)
                ours_s = min(ours_s, seconds)
            decoded = batch * (arguments.tokens - 1)
            same, total = agreeing(ours, theirs), batch * arguments.tokens
            good = good and (dtype != "fp32" or same == total)
            print(
                f"{dtype:<6} {batch:>5} {decoded / theirs_s:>19.1f} {decoded / ours_s:>10.1f}"
                f" {theirs_s / ours_s:>6.2f} {same:>7}/{total}"
            )
        del model
    return good


def compare_contexts(arguments) -> None:
    lengths = arguments.contexts.split(",")
    print(f"\n{'policy':<24} {'dtype':<6} " + " ".join(f"{'ms at ' + n:>12}" for n in lengths) + f" {'growth':>7}")
    for dtype in arguments.dtypes.split(","):
        for policy in arguments.policies.split(";"):
            command = [arguments.bench, arguments.model, dtype, str(arguments.threads), "context", policy, *lengths]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
            times = [json.loads(line)["step_ms"] for line in done.stdout.splitlines()]
            print(
                f"{policy:<24} {dtype:<6} "
                + " ".join(f"{ms:>12.2f}" for ms in times)
                + f" {times[-1] / times[0] - 1:>+7.1%}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--dtypes", default="fp32,bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contexts", default="")
    parser.add_argument(
        "--policies", default="full;sink(budget=256);h2o(budget=256);quest(budget=256)", help="separated by ;"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    good = compare_rates(arguments)
    if arguments.contexts:
        compare_contexts(arguments)
    if not good:
        print("the tokens differ", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
