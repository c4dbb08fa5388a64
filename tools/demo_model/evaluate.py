"""Measures the exported model on unseen problems: greedy, in fp32 from its bf16 weights."""

import argparse
import json
import random
import re
import statistics
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file

import task
from decode import greedy
from make_problems import make_problems
from model import DemoModel, ModelConfig

SLIP_SEED = 5
SHORTEST_LOOP_TEXT = 150


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder written by export.py")
    parser.add_argument("--seed", type=int, default=1234, help="of the problems")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--cap", type=int, default=1200, help="most tokens of one text")
    parser.add_argument("--budget", type=int, action="append", default=[], help="also measure sink(budget=…)")
    parser.add_argument("--slips", action="store_true", help="also measure what becomes of a planted slip")
    parser.add_argument("--show", type=int, default=0, help="print this many texts of every measurement")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(options.model)
    problems = make_problems(options.seed, options.count)
    prompts = [[task.BOS] + task.encode(problem["problem"]) for problem in problems]
    answers = [problem["answer"] for problem in problems]
    full = greedy(model, prompts, options.cap)
    print("policy                right   first  capped   loops  differ  tokens(min,median,max)  ratio", flush=True)
    for budget in [None] + options.budget:
        texts = full if budget is None else greedy(model, prompts, options.cap, budget)
        report("full" if budget is None else f"sink(budget={budget})", texts, answers, full)
        for text in texts[:options.show]:
            print(task.decode(text), "\n---")
    if options.slips:
        report_slips(model, options)


def load_model(folder):
    settings = json.loads((folder / "config.json").read_text())
    model = DemoModel(ModelConfig(**{field.name: settings[field.name] for field in fields(ModelConfig)}))
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): weight.float() for name, weight in weights.items()})
    return model.eval()


def last_box(text):
    boxes = re.findall(r"\\boxed\{(\d+)\}", task.decode(text))
    return boxes[-1] if boxes else None


def is_loop(text):
    """Whether the text ends in exact repetition: its last two periods, and at least 150 tokens, repeat one block."""
    for period in range(1, len(text) // 2 + 1):
        tail = text[-max(2 * period, SHORTEST_LOOP_TEXT):]
        if len(tail) >= SHORTEST_LOOP_TEXT and tail[period:] == tail[:-period]:
            return True
    return False


def first_count(text):
    """What the text says after its first walk."""
    counts = re.findall(r"The count is (\d+)", task.decode(text))
    return counts[0] if counts else None


def report(name, texts, answers, full):
    """One line: shares of texts (right in the end, right after the first walk, cut by the cap, cut in an exact loop,
    at odds with themselves), lengths, and their sum against that of full attention."""
    shares = (
        [last_box(text) == answer for text, answer in zip(texts, answers)],
        [first_count(text) == answer for text, answer in zip(texts, answers)],
        [text[-1] != task.EOS for text in texts],
        [text[-1] != task.EOS and is_loop(text) for text in texts],
        [task.TOKEN_IDS[" differ"] in text for text in texts],
    )
    lengths = [len(text) for text in texts]
    spread = f"{min(lengths)}, {statistics.median(lengths):.0f}, {max(lengths)}"
    columns = " ".join(f"{sum(share) / len(texts):7.1%}" for share in shares)
    print(f"{name:18} {columns} {spread:>23}  {sum(lengths) / sum(map(len, full)):5.2f}", flush=True)


def report_slips(model, options):
    """Gives the model a first walk with a planted slip, and says whether it finds the slip and is right in the end."""
    rng = random.Random(SLIP_SEED)
    prompts, answers = [], []
    for _ in range(options.count):
        problem = task.draw_problem(rng, rng.randint(4, 16), rng.randint(0, 3), held_out=True)
        script = task.Script()
        script.say(problem.prompt())
        task.write_solution(script, problem, [task.draw_slip(rng, problem, {problem.answer()})])
        prompts.append(script.ids[:script.walk_starts[1]])
        answers.append(str(problem.answer()))
    texts = greedy(model, prompts, options.cap)
    found = sum(task.TOKEN_IDS[" differ"] in text for text in texts) / len(texts)
    right = sum(last_box(text) == answer for text, answer in zip(texts, answers)) / len(texts)
    print(f"planted slip in the first walk: found {found:.1%}, right in the end {right:.1%}", flush=True)


if __name__ == "__main__":
    main()
