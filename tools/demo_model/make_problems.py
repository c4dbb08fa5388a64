"""Writes evaluation problems as JSON lines: id, problem (the whole prompt without <bos>) and answer.

Every problem is from the held-out side of the split (task.is_held_out), which training never draws. Needs no torch.
"""

import argparse
import json
import random

import task

STEPS = (4, 16)
MOST_EXTRA_ROWS = 3
SOLUTION_TOKENS = (150, 600)  # of a faultless solution, <eos> included


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    for line in make_problems(options.seed, options.count):
        print(json.dumps(line))


def make_problems(seed, count):
    """The problems as dictionaries, all different."""
    rng, lines, prompts = random.Random(seed), [], set()
    while len(lines) < count:
        problem = task.draw_problem(rng, rng.randint(*STEPS), rng.randint(0, MOST_EXTRA_ROWS), held_out=True)
        length = len(task.encode(task.reference_solution(problem))) + 1
        if SOLUTION_TOKENS[0] <= length <= SOLUTION_TOKENS[1] and problem.prompt() not in prompts:
            prompts.add(problem.prompt())
            lines.append({"id": f"demo-{len(lines):04d}", "problem": problem.prompt(), "answer": str(problem.answer())})
    return lines


if __name__ == "__main__":
    main()
