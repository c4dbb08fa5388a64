#!/usr/bin/env python3
"""Times `lil replay` against what one would write in Python, and checks that all agree on every size.

    replay_against_python.py LIL DATA [--longest-s 60] [--grids 250,50,10] [--longest-tokens 1048576]

LIL is the program `lil`, DATA a folder with traces/ and tokenizers/qwen.tiktoken. The quantity is that of
zlib(level=6) on the grid of every g tokens: how many bytes each prefix of a trace takes. Three ways to it:

    afresh   zlib.compress(prefix, 6) at every grid point
    copy     one zlib.compressobj, copied and finished at every grid point
    lil      lil replay --signal zlib --every g, on a store that `lil import` wrote before

on real traces and on made-up ones of 128 k tokens. Where a way would take longer than --longest-s, it does every
n-th grid point, and the table gives its time scaled by the bytes compressed, with n. Times are the best of several
runs. CPU time of `lil` is that of its curves (`cpu_ns` in the store); its wall time, and the CPU time of the program
at the end of the line, have start-up, reading the vocabulary and the traces, and SQLite in them. A pass is
zlib.compress() over each trace once. A second table has time and peak memory against length.

What is compared is worked out here from the text in the log or the generator, the token ids in the store's blocks
and the ranks of the vocabulary, so that the import is checked as well. Exit status: 0, or 1 where anything differs.
"""
import argparse
import base64
import dataclasses
import itertools
import json
import math
import multiprocessing
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator

LEVEL = 6
PROCESSES = (1, 2)
REPEATS = 5
ENOUGH_S = 3  # no further repeat after so many seconds
CHEAP_S = 6  # the slow way is done with two processes as well where one is expected to take no longer
SYNTHETIC_TOKENS = 128 * 1024
LOOP_TOKENS = 200
SEED = 1
LENGTH_GRIDS = (50, 250)

# Traces that come to their end, and traces of which many loop up to the cap of the model.
ORDINARY_LOGS = ("mip/math__normal__DSQ.json", "mip/math__normal__QwQ.json")
LONG_LOGS = (
    "mip/math__MiP__DSQ.json",
    "mip/formula__MiP__DSQ.json",
    "skythought/Sky-T1-math-correct-5K-14B__aime24.jsonl",
    "skythought/Sky-T1-math-correct-5K-14B__amc23.jsonl",
)

# ---------------------------------------------------------------- made-up text

# The most frequent first.
WORDS = tuple(
    "the is so of that to a and we wait equals if but let then I this be have which in for are it let's since by "
    "check okay minus plus not can because number maybe think from problem each should time two at with one means "
    "would equation there now first hmm need answer sum both side as value total way all actually again same find "
    "point angle where square root line about right no triangle length second just given term these you divided "
    "case circle another side on positive integer factor an only or three when could integers radius distance "
    "function sure therefore compute try see must prime left product area still write zero even odd step sequence "
    "possible digits variables coordinates solve another perhaps than difference result using substitute ratio "
    "count every remember sides pairs formula however correct looking condition path multiply also different "
    "between other expression like does simplify probability center seems its modulo rectangle vertices make "
    "gives polynomial any condition parallel coefficient graph numbers constraint they remainder least alternatively "
    "greater negative height maximum corner arrange ways plane segment half perpendicular largest start how here "
    "interval known original approach tangent bound mistake speed parity symmetric hours divide inside "
    "cubic verify earlier smaller arithmetic geometric logarithm domain outcome bisector edges colour box choose "
    "board walking row column marbles equal coin expected steps minutes price train average base".split())
VARIABLES = "x y n a b k m p r s t z".split()


class Prose:
    """Text that reads somewhat like reasoning: frequent and rare words, formulas, phrases taken up again. zlib
    makes of it what it makes of real reasoning: about a quarter, at about the same speed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.said: list[str] = []

    def below(self, bound: int) -> int:
        return int(self.random.random() * bound)

    def formula(self) -> str:
        variable, other = (VARIABLES[self.below(len(VARIABLES))] for _ in range(2))
        number, another = self.below(12) + 1, self.below(400)
        return (
            f"{number}{variable} + {another}",
            f"{variable} = {another}",
            f"\\({variable}^{number % 4 + 2} - {number}{other}\\)",
            f"\\frac{{{another}}}{{{number}}}",
            f"{another} × {number} = {another * number}",
            f"{another}",
        )[self.below(6)]

    def word(self) -> str:
        if self.below(9) == 0:
            return self.formula()
        return WORDS[int(len(WORDS) * self.random.random() ** 2.2)]

    def words(self) -> list[str]:
        """One word, or some from before again."""
        if len(self.said) < 50 or self.below(12) > 0:
            return [self.word()]
        back = min(len(self.said), 20 + int(2500 * self.random.random() ** 2))
        return self.said[-back:][:3 + self.below(10)]

    def sentence(self) -> str:
        words: list[str] = []
        length = 5 + self.below(14)
        while len(words) < length:
            words += self.words()
        self.said += words
        end = (". ", ". ", ", so ", "? ", ".\n\n", ":\n")[self.below(6)]
        text = " ".join(words)
        return text[0].upper() + text[1:] + end

    def text(self, characters: int) -> str:
        sentences = []
        while characters > 0:
            sentences.append(self.sentence())
            characters -= len(sentences[-1])
        return "".join(sentences)


def made_up_ids(lil: "Lil", folder: pathlib.Path, vocabulary: "Vocabulary", tokens: int) -> list[int]:
    """`tokens` ids of made-up prose, as the import tokenises it."""
    log = folder / "prose.jsonl"
    text = Prose(SEED).text(4 * tokens)
    log.write_text(json.dumps({"output": text}) + "\n")
    store = folder / "prose.db"
    lil.import_logs(store, [log])
    (ids,) = stored_ids(store).values()
    if vocabulary.join(ids) != text.encode() or len(ids) < tokens:
        raise Disagreement(f"{len(ids)} tokens were imported that are not the made-up text")
    return ids[:tokens]


def looping_from_the_middle(ids: list[int]) -> list[int]:
    middle = len(ids) // 2
    loop = itertools.cycle(ids[middle - LOOP_TOKENS : middle])
    return ids[:middle] + list(itertools.islice(loop, len(ids) - middle))


# ---------------------------------------------------------------- lil and its store


class Disagreement(Exception):
    pass


@dataclasses.dataclass
class Usage:
    """What one run of a program, or one way to the sizes, took."""

    wall_s: float
    cpu_s: float  # of the curves alone, for lil
    program_cpu_s: float = 0
    peak_kib: int = 0

    def least(self, other: "Usage") -> "Usage":
        return Usage(*map(min, dataclasses.astuple(self), dataclasses.astuple(other)))

    def scaled(self, factor: float) -> "Usage":
        return Usage(self.wall_s * factor, self.cpu_s * factor)


# The peak of a child counts the memory of the process it was forked from, so a small one starts and measures it.
LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
print(json.dumps([os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


class Lil:
    def __init__(self, program: pathlib.Path, tokenizer: pathlib.Path):
        self.program = program
        self.tokenizer = tokenizer

    def run(self, *arguments: object) -> Usage:
        command = [str(self.program.resolve()), *map(str, arguments)]
        launch = [sys.executable, "-I", "-S", "-c", LAUNCHER]
        done = subprocess.run(launch + command, check=True, capture_output=True, text=True)
        status, wall_s, cpu_s, peak_kib = json.loads(done.stdout)
        if status != 0:
            sys.exit(f"{' '.join(command)}: exit status {status}\n{done.stderr}")
        return Usage(wall_s, cpu_s, cpu_s, peak_kib)

    def import_logs(self, store: pathlib.Path, logs: list[pathlib.Path]) -> float:
        """Seconds that it took."""
        options = ("--tokenizer", self.tokenizer, "--threads", 1, "--progress", "none")
        return sum(self.run("import", store, log, *options).wall_s for log in logs)

    def replay(self, store: pathlib.Path, grid: int, threads: int) -> tuple[Usage, dict[str, list[int]]]:
        """What it took, with the CPU time of the curves, and the sizes by trace; the store stays as it was."""
        with tempfile.TemporaryDirectory(dir=store.parent) as folder:
            copy = pathlib.Path(folder, "store.db")
            shutil.copy(store, copy)
            options = ("--signal", f"zlib(level={LEVEL})", "--every", grid, "--threads", threads, "--progress", "none")
            usage = self.run("replay", copy, *options)
            cpu_ns, sizes = stored_curves(copy)
        return dataclasses.replace(usage, cpu_s=cpu_ns * 1e-9), sizes

    def exported_ids(self, store: pathlib.Path) -> dict[str, list[int]]:
        command = [self.program.resolve(), "trace", "export", store]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        traces = map(json.loads, done.stdout.splitlines())
        return {trace["uid"]: trace["ids"] for trace in traces}


def select(store: pathlib.Path, query: str) -> list[tuple]:
    database = sqlite3.connect(store)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def leb128(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def stored_ids(store: pathlib.Path) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    query = "SELECT uid, ids FROM trace_block JOIN trace ON trace.id = trace_id ORDER BY trace_id, block"
    for uid, block in select(store, query):
        ids.setdefault(uid, []).extend(leb128(block))
    return ids


def stored_curves(store: pathlib.Path) -> tuple[int, dict[str, list[int]]]:
    rows = select(store, "SELECT uid, deltas, cpu_ns FROM curve JOIN trace ON trace.id = trace_id")
    return sum(row[2] for row in rows), {uid: list(itertools.accumulate(json.loads(deltas))) for uid, deltas, _ in rows}


# ---------------------------------------------------------------- what is measured


class Vocabulary:
    def __init__(self, path: pathlib.Path):
        lines = (line.split() for line in path.read_bytes().splitlines())
        self.tokens = {int(rank): base64.b64decode(token) for token, rank in lines}

    def join(self, ids: list[int]) -> bytes:
        return b"".join(map(self.tokens.__getitem__, ids))

    def ends(self, ids: list[int]) -> list[int]:
        """Where each token ends in the text, after 0."""
        return list(itertools.accumulate((len(self.tokens[token]) for token in ids), initial=0))


@dataclasses.dataclass
class Trace:
    uid: str
    text: bytes
    ends: list[int]

    def points(self, grid: int) -> list[int]:
        """The lengths in bytes of the prefixes to size, the empty one first."""
        return self.ends[::grid]


@dataclasses.dataclass
class Workload:
    name: str
    store: pathlib.Path
    traces: list[Trace]  # the longest first
    import_s: float
    pass_s: float  # zlib over every trace once

    def bytes(self) -> int:
        return sum(len(trace.text) for trace in self.traces)

    def tokens(self) -> int:
        return sum(len(trace.ends) - 1 for trace in self.traces)

    def checks(self, grid: int) -> int:
        return sum(len(trace.points(grid)) for trace in self.traces)


def make_workload(
    name: str, lil: Lil, vocabulary: Vocabulary, store: pathlib.Path, logs: list[pathlib.Path], texts: list[bytes]
) -> Workload:
    """Imports `logs`, and makes sure that the store has `texts`."""
    import_s = lil.import_logs(store, logs)
    ids = stored_ids(store)
    if ids != lil.exported_ids(store):
        raise Disagreement(f"{name}: the blocks of the store and `lil trace export` have other ids")
    traces = [Trace(uid, vocabulary.join(of_trace), vocabulary.ends(of_trace)) for uid, of_trace in ids.items()]
    if sorted(trace.text for trace in traces) != sorted(texts):
        raise Disagreement(f"{name}: the tokens in the store do not make up the text of the logs")
    traces.sort(key=lambda trace: len(trace.text), reverse=True)
    usage, _ = best_of(lambda: one_pass(traces))
    return Workload(name, store, traces, import_s, usage.cpu_s)


def real_workload(
    name: str, lil: Lil, vocabulary: Vocabulary, folder: pathlib.Path, logs: list[pathlib.Path]
) -> Workload:
    texts = [text for log in logs for text in texts_of_log(log)]
    return make_workload(name, lil, vocabulary, folder / f"{name.split()[0]}.db", logs, texts)


def made_up_workload(
    name: str, lil: Lil, vocabulary: Vocabulary, folder: pathlib.Path, ids: list[int]
) -> Workload:
    with tempfile.TemporaryDirectory(dir=folder) as log_folder:
        log = pathlib.Path(log_folder, "ids.jsonl")
        log.write_text(json.dumps({"ids": ids}) + "\n")
        store = folder / f"{name.replace(' ', '_')}.db"
        return make_workload(name, lil, vocabulary, store, [log], [vocabulary.join(ids)])


def texts_of_log(log: pathlib.Path) -> list[bytes]:
    text = log.read_text()
    records = json.loads(text) if log.suffix == ".json" else [json.loads(line) for line in text.split("\n") if line]
    outputs = (record["model_answer"] if "model_answer" in record else record["code"][0] for record in records)
    return [output.encode() for output in outputs]


# ---------------------------------------------------------------- the ways


def best_of(action: Callable[[], tuple[Usage, object]]) -> tuple[Usage, object]:
    """The least times of some runs, and what the last gave."""
    start = time.perf_counter()
    best, result = action()
    for _ in range(REPEATS - 1):
        if time.perf_counter() - start > ENOUGH_S:
            break
        usage, result = action()
        best = best.least(usage)
    return best, result


def one_pass(traces: list[Trace]) -> tuple[Usage, None]:
    wall, cpu = time.perf_counter(), time.process_time()
    for trace in traces:
        zlib.compress(trace.text, LEVEL)
    return Usage(time.perf_counter() - wall, time.process_time() - cpu), None


def sizes_afresh(text: bytes, points: list[int]) -> list[int]:
    view = memoryview(text)
    return [len(zlib.compress(view[:end], LEVEL)) for end in points]


def sizes_by_copy(text: bytes, points: list[int]) -> list[int]:
    view = memoryview(text)
    compressor = zlib.compressobj(LEVEL)
    sizes = []
    written = start = 0
    for end in points:
        written += len(compressor.compress(view[start:end]))
        sizes.append(written + len(compressor.copy().flush()))
        start = end
    return sizes


PYTHON_WAYS = {"afresh": sizes_afresh, "copy": sizes_by_copy}


@dataclasses.dataclass(frozen=True)
class Job:
    """Some grid points of a trace, by one of the ways in Python: the `first`, and every `step`-th after it."""

    way: str
    trace: int
    grid: int
    first: int = 0
    step: int = 1


def do(traces: list[Trace], job: Job) -> tuple[Job, float, list[int]]:
    """With seconds of CPU and the sizes."""
    trace = traces[job.trace]
    points = trace.points(job.grid)[job.first :: job.step]
    start = time.process_time()
    sizes = PYTHON_WAYS[job.way](trace.text, points)
    return job, time.process_time() - start, sizes


class Worker:
    """Holds the traces in the processes of a pool."""

    traces: list[Trace] = []

    @classmethod
    def start(cls, traces: list[Trace]) -> None:
        cls.traces = traces

    @classmethod
    def do(cls, job: Job) -> tuple[Job, float, list[int]]:
        return do(cls.traces, job)


def run_jobs(traces: list[Trace], jobs: list[Job], processes: int) -> tuple[Usage, dict[Job, list[int]]]:
    if processes == 1:
        start = time.perf_counter()
        done = [do(traces, job) for job in jobs]
        wall_s = time.perf_counter() - start
    else:
        with multiprocessing.get_context("fork").Pool(processes, Worker.start, (traces,)) as pool:
            pool.map(time.sleep, [0.05] * processes, chunksize=1)  # they are there before the clock runs
            start = time.perf_counter()
            done = pool.map(Worker.do, jobs, chunksize=1)
            wall_s = time.perf_counter() - start
    return Usage(wall_s, sum(cpu_s for _, cpu_s, _ in done)), {job: sizes for job, _, sizes in done}


def afresh_jobs(workload: Workload, grid: int, stride: int, processes: int) -> list[Job]:
    """Every stride-th grid point, those of each trace shared out among the processes."""
    step = stride * processes
    return [
        Job("afresh", trace, grid, stride // 2 + process * stride, step)
        for trace in range(len(workload.traces))
        for process in range(processes)
    ]


def prefix_bytes(workload: Workload, grid: int, stride: int) -> int:
    return sum(sum(trace.points(grid)[stride // 2 :: stride]) for trace in workload.traces)


# ---------------------------------------------------------------- the first table


@dataclasses.dataclass
class Row:
    way: str
    processes: int
    usage: Usage
    sizes: str  # how many were compared, and how they compare


class Comparison:
    """All ways on one workload and one grid."""

    def __init__(self, lil: Lil, workload: Workload, grid: int, longest_s: float):
        self.lil = lil
        self.workload = workload
        self.grid = grid
        self.longest_s = longest_s
        self.agree = True
        self.sizes: dict[str, list[int]] = {}
        self.rows: list[Row] = []

    def run(self) -> None:
        for threads in PROCESSES:
            self.run_lil(threads)
        for processes in PROCESSES:
            if processes == 1 or len(self.workload.traces) > 1:
                self.run_copy(processes)
        for processes in PROCESSES:
            self.run_afresh(processes)

    def row(self, way: str, processes: int) -> Row:
        return next(row for row in self.rows if (row.way, row.processes) == (way, processes))

    def run_lil(self, threads: int) -> None:
        usage, sizes = best_of(lambda: self.lil.replay(self.workload.store, self.grid, threads))
        self.sizes = self.sizes or sizes
        verdict = "the reference" if threads == 1 else self.verdict(sizes == self.sizes, "all")
        program = f"program {usage.program_cpu_s * 1e3:.0f} ms CPU, {usage.peak_kib / 1024:.0f} MiB"
        self.add("lil", threads, usage, f"{verdict}; {program}")

    def run_copy(self, processes: int) -> None:
        jobs = [Job("copy", trace, self.grid) for trace in range(len(self.workload.traces))]
        usage, sizes = best_of(lambda: run_jobs(self.workload.traces, jobs, processes))
        self.add("copy", processes, usage, self.verdict(self.equal(sizes), "all"))

    def run_afresh(self, processes: int) -> None:
        bytes_in_all = prefix_bytes(self.workload, self.grid, 1)
        expected_s = bytes_in_all * self.workload.pass_s / self.workload.bytes()
        stride = math.ceil(expected_s / self.longest_s)
        if processes > 1 and expected_s > CHEAP_S:
            return
        jobs = afresh_jobs(self.workload, self.grid, stride, processes)
        usage, sizes = best_of(lambda: run_jobs(self.workload.traces, jobs, processes))
        scale = bytes_in_all / prefix_bytes(self.workload, self.grid, stride)
        which = "all" if stride == 1 else f"1 in {stride}, time scaled by {scale:.2f}"
        self.add("afresh", processes, usage.scaled(scale), self.verdict(self.equal(sizes), which))

    def add(self, way: str, processes: int, usage: Usage, sizes: str) -> None:
        self.rows.append(Row(way, processes, usage, sizes))

    def equal(self, sizes: dict[Job, list[int]]) -> bool:
        uids = [trace.uid for trace in self.workload.traces]
        return all(self.sizes[uids[job.trace]][job.first :: job.step] == of_job for job, of_job in sizes.items())

    def verdict(self, equal: bool, which: str) -> str:
        self.agree = self.agree and equal
        return f"{'equal' if equal else 'NOT EQUAL'} ({which})"

    def print(self) -> None:
        for row in self.rows:
            ours = self.row("lil", row.processes).usage
            print(
                f"{self.grid:>5} {self.workload.checks(self.grid):>8} {row.way:<7}{row.processes:>2}"
                f"{row.usage.wall_s * 1e3:>12.1f} {row.usage.cpu_s * 1e3:>12.1f}"
                f"{row.usage.cpu_s / self.workload.pass_s:>10.2f}"
                f"{row.usage.wall_s / ours.wall_s:>10.1f} {row.usage.cpu_s / ours.cpu_s:>8.1f}  {row.sizes}",
                flush=True,
            )


def compare_workload(lil: Lil, workload: Workload, grids: list[int], longest_s: float) -> dict[int, Comparison]:
    longest = len(workload.traces[0].ends) - 1
    print(
        f"\n{workload.name}: {workload.bytes():,} bytes, {workload.tokens():,} tokens, traces: {len(workload.traces)}, "
        f"the longest of {longest:,} tokens\n"
        f"import {workload.import_s:.2f} s; a pass of zlib {workload.pass_s * 1e3:.1f} ms CPU; {load()}\n"
        f"{'g':>5} {'checks':>8} {'way':<7}{'n':>2}{'wall ms':>12} {'CPU ms':>12}{'passes':>10}"
        f"{'x wall':>10} {'x CPU':>8}  sizes"
    )
    comparisons = {}
    for grid in grids:
        comparisons[grid] = Comparison(lil, workload, grid, longest_s)
        comparisons[grid].run()
        comparisons[grid].print()
    return comparisons


# ---------------------------------------------------------------- time and memory against length


def lengths(longest: int) -> list[int]:
    return [tokens for tokens in (1024 * 4**power for power in range(9)) if tokens <= longest]


def compare_lengths(lil: Lil, vocabulary: Vocabulary, folder: pathlib.Path, ids: list[int], longest: int) -> bool:
    columns = "".join(
        f" | {f'g={grid}: CPU ms':>14} {'ns/token':>8} {'passes':>6} {'wall ms':>7} {'MiB':>5}" for grid in LENGTH_GRIDS
    )
    print("\nlil against length: made-up prose, one thread; MiB is the most memory that the program took at a time")
    print(f"{'tokens':>8} {'bytes':>8} {'pass: ns/token':>14}{columns}  sizes")
    agree = True
    for tokens in lengths(longest):
        workload = made_up_workload(f"{tokens} tokens", lil, vocabulary, folder, ids[:tokens])
        agree = compare_length(lil, workload, tokens) and agree
    return agree


def compare_length(lil: Lil, workload: Workload, tokens: int) -> bool:
    (trace,) = workload.traces
    line = f"{tokens:>8} {len(trace.text):>8} {workload.pass_s * 1e9 / tokens:>14.1f}"
    agree = True
    for grid in LENGTH_GRIDS:
        usage, sizes = best_of(lambda: lil.replay(workload.store, grid, 1))
        agree = sizes[trace.uid] == sizes_by_copy(trace.text, trace.points(grid)) and agree
        line += (
            f" | {usage.cpu_s * 1e3:>14.2f} {usage.cpu_s * 1e9 / tokens:>8.1f} {usage.cpu_s / workload.pass_s:>6.2f}"
            f" {usage.wall_s * 1e3:>7.1f} {usage.peak_kib / 1024:>5.1f}"
        )
    print(f"{line}  {'equal' if agree else 'NOT EQUAL'}", flush=True)
    return agree


# ---------------------------------------------------------------- the program


def print_against_targets(ordinary: dict[int, Comparison], synthetic: dict[int, Comparison]) -> None:
    if 250 in synthetic:
        afresh, ours = (synthetic[250].row(way, 1).usage for way in ("afresh", "lil"))
        print(
            f"\nafresh / lil, made-up prose, g = 250, CPU: {afresh.cpu_s / ours.cpu_s:.0f} (to be at least 100); "
            f"against the CPU time of the whole program {afresh.cpu_s / ours.program_cpu_s:.0f}"
        )
    for name, comparisons in (("ordinary", ordinary), ("made-up prose", synthetic)):
        if 50 in comparisons:
            comparison = comparisons[50]
            ours = comparison.row("lil", 1).usage.cpu_s
            times, passes = comparison.row("copy", 1).usage.cpu_s / ours, ours / comparison.workload.pass_s
            print(f"copy / lil, {name}, g = 50, CPU: {times:.1f} (to be at least 5)")
            print(f"lil, {name}, g = 50: {passes:.2f} passes of zlib (to be at most 2)")


def load() -> str:
    return "load " + " ".join(f"{load:.1f}" for load in os.getloadavg())


def run(arguments: argparse.Namespace, folder: pathlib.Path) -> bool:
    tokenizer = arguments.data / "tokenizers/qwen.tiktoken"
    lil, vocabulary = Lil(arguments.lil, tokenizer), Vocabulary(tokenizer)
    print(f"Python {sys.version.split()[0]}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {os.cpu_count()} cores, {load()}")

    def compare(workload: Workload) -> dict[int, Comparison]:
        return compare_workload(lil, workload, arguments.grids, arguments.longest_s)

    def real(name: str, logs: tuple[str, ...]) -> dict[int, Comparison]:
        return compare(real_workload(name, lil, vocabulary, folder, [arguments.data / "traces" / log for log in logs]))

    def made_up(name: str, ids: list[int]) -> dict[int, Comparison]:
        return compare(made_up_workload(name, lil, vocabulary, folder, ids))

    ordinary = real("ordinary reasoning", ORDINARY_LOGS)
    long = real("long reasoning, many traces loop", LONG_LOGS)
    ids = made_up_ids(lil, folder, vocabulary, max(SYNTHETIC_TOKENS, arguments.longest_tokens))
    synthetic = made_up("made-up prose", ids[:SYNTHETIC_TOKENS])
    looping = made_up("made-up prose, looping from its middle", looping_from_the_middle(ids[:SYNTHETIC_TOKENS]))
    levels = compare_lengths(lil, vocabulary, folder, ids, arguments.longest_tokens)
    print_against_targets(ordinary, synthetic)
    print(load())
    tables = (ordinary, long, synthetic, looping)
    return levels and all(comparison.agree for table in tables for comparison in table.values())


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lil", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--longest-s", type=float, default=60)
    parser.add_argument("--grids", type=numbers, default=[250, 50, 10])
    parser.add_argument("--longest-tokens", type=int, default=1024 * 1024)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lil-bench-") as folder:
        try:
            agree = run(arguments, pathlib.Path(folder))
        except Disagreement as error:
            print(error)
            agree = False
    print("all sizes agree" if agree else "SIZES DIFFER")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
