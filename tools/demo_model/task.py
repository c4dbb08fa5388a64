"""The task of the demo model: problems, solutions, drills and their tokens.

A problem is a shuffled table of rows (a town, a change, the next town), a start and a number of coins. A solution
walks the rows one by one, adds up the changes modulo 50, says the count, walks a second time to check, compares the
two counts, and walks again while they differ. Nothing here needs torch.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

NUMBERS = 50
LARGEST_CHANGE = 15
CHANGES = tuple(c for c in range(-LARGEST_CHANGE, LARGEST_CHANGE + 1) if c != 0)
TOWNS = tuple(
    "Athens Bergen Berlin Bilbao Boston Bremen Bruges Cairo Cork Dakar Delhi Dublin Geneva Genoa Havana Kyoto "
    "Leeds Lima London Lyon Madrid Malaga Milan Nairobi Naples Oslo Paris Perth Prague Quito Riga Rome "
    "Seoul Sofia Tallinn Tokyo Tunis Turin Vienna Warsaw".split())

HELD_OUT_BYTES = 26  # of 256: about one problem in ten belongs to evaluation

# ---------------------------------------------------------------- problems


@dataclass(frozen=True)
class Row:
    """One row of the table; the last town of the walk has neither change nor next town."""
    town: str
    change: int | None
    next_town: str | None

    def text(self):
        return f" {self.town} stop" if self.next_town is None else f" {self.town} {self.change:+d} >{self.next_town}"


@dataclass(frozen=True)
class Problem:
    rows: tuple[Row, ...]  # in the order of the table
    start: str
    coins: int

    def prompt(self):
        """The text the model is given, without <bos>; the solution begins right after it."""
        table = ";".join(row.text() for row in self.rows)
        return f"{PREAMBLE}{table}. Start >{self.start} with {self.coins} coins{QUESTION}"

    def table(self):
        return {row.town: row for row in self.rows}

    def answer(self):
        return final_count(walk(self), self)


PREAMBLE = ("Problem: A trader walks from town to town. Each row of the table gives a town, a change and the next "
            f"town. All counts are mod {NUMBERS}. Table:")
QUESTION = ". How many coins at the stop?\nSolution:\n"


def is_held_out(problem):
    """Whether the problem belongs to evaluation. Decided by a hash of what the problem says, whatever the order of
    its rows, so training (which skips these) cannot see an evaluation problem, not even reshuffled."""
    facts = "|".join(sorted(row.text() for row in problem.rows)) + f"|{problem.start}|{problem.coins}"
    return hashlib.sha256(facts.encode()).digest()[0] < HELD_OUT_BYTES


def draw_problem(rng, steps, extra_rows, held_out=False):
    """A random problem of so many steps, with rows that are not needed, from the asked side of the split."""
    while True:
        towns = rng.sample(TOWNS, steps + 1 + extra_rows)
        changes = rng.sample(CHANGES, len(towns))
        rows = [Row(towns[i], changes[i], towns[i + 1]) for i in range(steps)]
        rows.append(Row(towns[steps], None, None))
        for i in range(steps + 1, len(towns)):
            rows.append(Row(towns[i], changes[i], rng.choice(towns[:i])))
        rng.shuffle(rows)
        problem = Problem(tuple(rows), towns[0], rng.randrange(NUMBERS))
        if is_held_out(problem) == held_out:
            return problem


# ---------------------------------------------------------------- walks and slips


@dataclass(frozen=True)
class Slip:
    """A planted mistake: at one step of a walk one field ('sum', 'change' or 'next') has a wrong value."""
    step: int
    field: str
    value: int | str


@dataclass(frozen=True)
class Step:
    town: str
    change: int
    next_town: str
    before: int
    after: int
    slipped: str | None  # the field that is wrong, if any


def walk(problem, slip=None):
    """The steps from the start to the stop; None where a slip leads round in a circle."""
    table, town, count, steps, seen = problem.table(), problem.start, problem.coins, [], set()
    while table[town].next_town is not None:
        if town in seen:
            return None
        seen.add(town)
        wrong = slip.field if slip and slip.step == len(steps) else None
        change = slip.value if wrong == "change" else table[town].change
        next_town = slip.value if wrong == "next" else table[town].next_town
        after = slip.value if wrong == "sum" else (count + change) % NUMBERS
        steps.append(Step(town, change, next_town, count, after, wrong))
        town, count = next_town, after
    return steps


def final_count(steps, problem):
    return steps[-1].after if steps else problem.coins


def draw_slip(rng, problem, not_counts):
    """A slip whose walk ends in none of the given counts."""
    honest = walk(problem)
    while True:
        step = rng.randrange(len(honest))
        field = rng.choice(("sum", "sum", "sum", "change", "next"))
        true, pool = {
            "sum": (honest[step].after, range(NUMBERS)),
            "change": (honest[step].change, CHANGES),
            "next": (honest[step].next_town, [row.town for row in problem.rows]),
        }[field]
        slip = Slip(step, field, rng.choice([value for value in pool if value != true]))
        steps = walk(problem, slip)
        if steps is not None and final_count(steps, problem) not in not_counts:
            return slip


def draw_slips(rng, problem):
    """Slips of the first walks of one solution, None for an honest walk: mostly one slip in the first walk."""
    truth = problem.answer()
    first = draw_slip(rng, problem, {truth})
    kind = rng.random()
    if kind < 0.8:
        return [first]
    if kind < 0.9:
        return [None, first]
    return [first, draw_slip(rng, problem, {truth, final_count(walk(problem, first), problem)})]


# ---------------------------------------------------------------- texts to learn from

REPEATED_WALK = 0.5  # loss weight: a repeated walk can partly be copied from the first
VERDICT = 4.0        # loss weight of whether two counts agree, and of what an honest walk says where an earlier one slipped
EARLIER_COUNT = 2.0  # loss weight of the count looked up from the walk before
LABELS = ("other", "change", "next", "sum", "stop", "was", "agree", "differ", "mend")


class Script:
    """A text under construction: token ids with a loss weight and a label each."""

    def __init__(self):
        self.ids, self.weights, self.labels, self.walk_starts = [BOS], [0.0], [0], []

    def say(self, text, weight=1.0, label="other"):
        self.say_ids(encode(text), weight, label)

    def say_ids(self, ids, weight=1.0, label="other"):
        self.ids += ids
        self.weights += [weight] * len(ids)
        self.labels += [LABELS.index(label)] * len(ids)


def write_walk(script, problem, steps, weight, slipped_before):
    """One walk in words. A wrong token carries no weight; the true token of a step and field that an earlier walk
    got wrong carries much. Labels go to the first walk only, since the others can be copied from it."""

    def field(text, step, index, name):
        if step.slipped == name:
            script.say(text, 0.0)
        elif (index, name) in slipped_before:
            script.say(text, VERDICT, "mend")
        else:
            script.say(text, weight, name if weight == 1.0 else "other")

    script.walk_starts.append(len(script.ids))
    script.say(f"Start >{problem.start} with {problem.coins} coins.\n", weight)
    for index, step in enumerate(steps):
        script.say(f"Row: {step.town}", weight)
        field(f" {step.change:+d}", step, index, "change")
        field(f" >{step.next_town}", step, index, "next")
        script.say(f". {step.before} {step.change:+d} =", weight)
        field(f" {step.after}", step, index, "sum")
        script.say(".\n", weight)
    last_town = steps[-1].next_town if steps else problem.start
    script.say(f"Row: {last_town}", weight)
    script.say(" stop", weight, "stop" if weight == 1.0 else "other")
    script.say(".", weight)


def write_solution(script, problem, slips=()):
    """The whole solution: walks with the given slips, then honest ones, until two in a row agree."""
    script.say("Let me count.\n")
    earlier, slipped_before, number = None, set(), 0
    while True:
        slip = slips[number] if number < len(slips) else None
        steps = walk(problem, slip)
        write_walk(script, problem, steps, REPEATED_WALK if number else 1.0, slipped_before)
        count = final_count(steps, problem)
        if earlier is None:
            script.say(f" The count is {count}. Let me count again to check.\n")
        else:
            script.say(" The count was")
            script.say(f" {earlier}", EARLIER_COUNT, "was")
            script.say(f" and is {count}")
            write_verdict(script, earlier == count, VERDICT)
            if earlier == count:
                script.say(f"\nThe answer is \\boxed{{{count}}}.")
                script.say_ids([EOS])
                return
            script.say(" Let me count again.\n")
        if slip:
            slipped_before.add((slip.step, slip.field))
        earlier, number = count, number + 1


def write_verdict(script, same, weight):
    """Whether two counts agree. The comparison falls into the first word, right after the second count."""
    label = "agree" if same else "differ"
    script.say(" again" if same else " now", weight, label)
    script.say(f". They {label}.")


def solution_text(rng, steps, extra_rows, slip_share):
    """A problem with its solution; the prompt carries no weight."""
    problem = draw_problem(rng, steps, extra_rows)
    slips = draw_slips(rng, problem) if rng.random() < slip_share else ()
    script = Script()
    script.say(problem.prompt(), 0.0)
    write_solution(script, problem, slips)
    return script


def reference_solution(problem):
    """The text a faultless model writes for the problem."""
    script = Script()
    write_solution(script, problem)
    return decode(script.ids)


def sum_drill(rng, length):
    """Single sums, one after another."""
    script = Script()
    while len(script.ids) + 5 <= length:
        number, change = rng.randrange(NUMBERS), rng.choice(CHANGES)
        script.say(f" {number} {change:+d} =", 0.0)
        script.say(f" {(number + change) % NUMBERS}", 1.0, "sum")
        script.say(".", 0.0)
    return script


def comparison_drill(rng, length):
    """Two counts and whether they agree, one after another, no number in two lines."""
    script, numbers = Script(), rng.sample(range(NUMBERS), NUMBERS)
    while len(script.ids) + 11 <= length:
        earlier, count = numbers.pop(), numbers.pop()
        script.say(f" The count was {earlier}", 0.0)
        same = rng.random() < 0.5
        script.say(f" and is {earlier if same else count}", 0.0)
        write_verdict(script, same, 1.0)
    return script


def recital(rng, length):
    """A problem, then rows of its table in any order."""
    problem = draw_problem(rng, rng.randint(2, 16), 1)
    script = Script()
    script.say(problem.prompt(), 0.0)
    while len(script.ids) + 7 <= length:
        row = rng.choice(problem.rows)
        script.say(f"Row: {row.town}", 0.0)
        if row.next_town is None:
            script.say(" stop", 1.0, "stop")
        else:
            script.say(f" {row.change:+d}", 1.0, "change")
            script.say(f" >{row.next_town}", 1.0, "next")
        script.say(".\n", 0.0)
    return script


# ---------------------------------------------------------------- tokens

# A word, number, change or destination with the space before it; one mark; one blank.
TOKEN_PATTERN = r" ?[+>-]?[A-Za-z0-9]+| ?[^A-Za-z0-9\s]|\s"
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>")
PAD, BOS, EOS = range(3)


def _fixed_texts():
    """Texts that between them use every word and mark of the task."""
    problem = Problem((Row(TOWNS[0], 1, TOWNS[1]), Row(TOWNS[1], None, None)), TOWNS[0], 0)
    yield problem.prompt()
    yield f"Let me count.\nStart >{TOWNS[0]} with 0 coins.\nRow: {TOWNS[0]} +1 >{TOWNS[1]}. 0 +1 = 1.\n"
    yield " The count is 1. Let me count again to check.\n The count was 1 and is 1."
    yield " again. They agree.\nThe answer is \\boxed{1}. now. They differ. Let me count again.\n"


def _build_vocabulary():
    tokens = list(SPECIAL_TOKENS)
    tokens += [f" {n}" for n in range(NUMBERS)] + [f"{n}" for n in range(NUMBERS)]
    tokens += [f" {town}" for town in TOWNS] + [f" >{town}" for town in TOWNS]
    tokens += [f" {change:+d}" for change in CHANGES]
    for text in _fixed_texts():
        tokens += re.findall(TOKEN_PATTERN, text)
    return tuple(dict.fromkeys(tokens))


VOCABULARY = _build_vocabulary()
TOKEN_IDS = {token: i for i, token in enumerate(VOCABULARY)}


@lru_cache(maxsize=1 << 16)
def _encode(text):
    return tuple(TOKEN_IDS[token] for token in re.findall(TOKEN_PATTERN, text))


def encode(text):
    """Token ids of a text, without <bos>. A word outside of the vocabulary is a KeyError."""
    return list(_encode(text))


def decode(ids):
    """The text of token ids; special tokens are left out."""
    return "".join(VOCABULARY[i] for i in ids if i >= len(SPECIAL_TOKENS))
