"""What is trained when: the stages and the batches. A batch depends on (seed, rank, step) alone, so a resumed run
sees what an uninterrupted one would have."""

import random
from dataclasses import dataclass

import torch

import task

TOKENS_PER_BATCH = 4096
LENGTHS = (128, 256, 384, 512, 768)  # a batch holds texts of like length, padded to one of these
DRILL_LENGTH, RECITAL_LENGTH = 128, 256
LONGEST_POSITION = 2047


@dataclass(frozen=True)
class Stage:
    """Shares of batches by kind (the rest are solutions), shares of texts by property."""
    until: float       # fraction of the run
    steps: tuple[int, int]
    extra_rows: int
    sums: float
    comparisons: float
    recitals: float
    slips: float       # texts with planted slips
    gaps: float        # texts whose walks are moved apart


STAGES = (
    Stage(0.06, (1, 4), 2, sums=0.14, comparisons=0.12, recitals=0.22, slips=0.3, gaps=0.0),
    Stage(0.14, (2, 7), 3, sums=0.10, comparisons=0.06, recitals=0.10, slips=0.4, gaps=0.0),
    Stage(0.28, (3, 11), 3, sums=0.07, comparisons=0.05, recitals=0.05, slips=0.4, gaps=0.1),
    Stage(1.00, (4, 16), 3, sums=0.03, comparisons=0.03, recitals=0.03, slips=0.4, gaps=0.25),
)


@dataclass(frozen=True)
class Batch:
    """All of (texts, length): inputs with their positions, and what is to follow each, with loss weight and label."""
    inputs: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    labels: torch.Tensor


def draw_batch(seed, rank, step, progress):
    """The batch of one process at one step; progress is the fraction of the run behind it."""
    rng = random.Random(f"{seed}/{rank}/{step}")
    stage = next(stage for stage in STAGES if progress < stage.until)
    kind = rng.random()
    if kind < stage.sums:
        scripts, length = drills(task.sum_drill, rng, DRILL_LENGTH)
    elif kind < stage.sums + stage.comparisons:
        scripts, length = drills(task.comparison_drill, rng, DRILL_LENGTH)
    elif kind < stage.sums + stage.comparisons + stage.recitals:
        scripts, length = drills(task.recital, rng, RECITAL_LENGTH)
    else:
        scripts, length = solutions(rng, stage)
    return to_tensors(scripts, [positions(rng, script, stage.gaps) for script in scripts], length)


def drills(make, rng, length):
    return [make(rng, length) for _ in range(TOKENS_PER_BATCH // length)], length


def solutions(rng, stage):
    """Solutions of the length class into which the first one falls; those longer than the longest are left out."""
    scripts, length = [], None
    while length is None or len(scripts) < TOKENS_PER_BATCH // length:
        script = task.solution_text(rng, rng.randint(*stage.steps), rng.randint(0, stage.extra_rows), stage.slips)
        its_length = next((n for n in LENGTHS if len(script.ids) <= n + 1), None)
        length = length or its_length
        if its_length is not None and its_length == length:
            scripts.append(script)
    return scripts, length


def positions(rng, script, gap_share):
    """Positions of a text: mostly 0, 1, 2 …; with the given share each walk begins after a gap, so that the model also
    knows distances far beyond the longest text it is trained on."""
    places, shift = list(range(len(script.ids))), 0
    if rng.random() < gap_share:
        for start in script.walk_starts:
            room = LONGEST_POSITION - shift - len(places)
            gap = rng.randint(0, max(0, room // 2))
            shift += gap
            places[start:] = [place + gap for place in places[start:]]
    return places


def to_tensors(scripts, places, length):
    def padded(rows, first, kind):
        table = torch.zeros(len(rows), length, dtype=kind)
        for line, row in zip(table, rows):
            row = row[first:first + length]
            line[:len(row)] = torch.tensor(row, dtype=kind)
        return table

    ids = [script.ids for script in scripts]
    return Batch(padded(ids, 0, torch.long), padded(places, 0, torch.long), padded(ids, 1, torch.long),
                 padded([script.weights for script in scripts], 1, torch.float),
                 padded([script.labels for script in scripts], 1, torch.long))
