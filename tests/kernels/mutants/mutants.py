#!/usr/bin/env python3
"""Faults planted in the CUDA kernels, each of which a test must find. The program kernels_mutants holds the kernels
with every fault of the table; LIL_MUTANT chooses one.

    mutants.py list                        a line for CMake: name;kernel;file
    mutants.py write NAME SOURCE OUT       the file with the fault, under the folder OUT
    mutants.py registry OUT                the table for mutant_backend.cpp
    mutants.py check NAME PROGRAM          the named tests pass without the fault, and each fails with it
"""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    kind: str
    kernel: str  # the launcher, and the X of X_cuda.cu
    file: str  # that is changed: X_cuda.cu or a header of it
    changes: list[tuple[str, str]]  # text that stands there exactly once, and what it becomes
    tests: str  # a filter: each of these must fail
    why: str


TABLE = [
    Mutant(
        name="compact_without_barrier",
        kind="missing barrier",
        kernel="compact",
        file="kernels/compact_cuda.cu",
        changes=[("    __syncthreads();\n    if (i < kept) {", "    if (i < kept) {")],
        tests="Emulated/Compact.SmallRandomPlaces/*",
        why="a page moves to a place that another thread has yet to read: in descending order the bits differ",
    ),
    Mutant(
        name="topk_without_barrier",
        kind="missing barrier",
        kernel="topk",
        file="kernels/topk_cuda.cu",
        changes=[
            (
                "      find_digit(digits, wanted, found);\n    }\n    __syncthreads();",
                "      find_digit(digits, wanted, found);\n    }",
            )
        ],
        tests="Emulated/Topk.SmallHardScores/*",
        why="threads read the digit that one warp is about to write: the check of shared memory sees the race",
    ),
    Mutant(
        name="attention_without_barrier",
        kind="missing barrier",
        kernel="decode_attention",
        file="kernels/decode_attention_fast.cuh",
        changes=[
            (
                "  soften_all(args, split, 0, kGroup, scores, inverse_sums);\n  __syncthreads();",
                "  soften_all(args, split, 0, kGroup, scores, inverse_sums);",
            )
        ],
        tests="Emulated/DecodeAttention.SmallEveryShapeInFp16/*",
        why="weights are read before the warp that makes them has written them",
    ),
    Mutant(
        name="attention_off_by_one_page",
        kind="off-by-one page",
        kernel="decode_attention",
        file="kernels/decode_attention_block.cuh",
        changes=[
            (
                "const std::int32_t page = place / lists.page_size;",
                "const std::int32_t page = (place + 1) / lists.page_size;",
            )
        ],
        tests="Emulated/DecodeAttention.SmallEveryPageSize/*",
        why="the last entry of a page is looked for before the next one",
    ),
    Mutant(
        name="bounds_off_by_one_page",
        kind="off-by-one page",
        kernel="page_bounds",
        file="kernels/rows.cuh",
        changes=[
            (
                "return tokens / lists.page_size + (tokens % lists.page_size == 0 ? 0 : 1);",
                "return tokens / lists.page_size;",
            )
        ],
        tests="Emulated/PageBounds.SmallEveryPageSize/*",
        why="a last page that is filled in part gets no bounds",
    ),
    Mutant(
        name="scores_off_by_one_page",
        kind="off-by-one page",
        kernel="page_scores",
        file="kernels/page_scores_cuda.cu",
        changes=[("page_of(args.lists, request, i)", "page_of(args.lists, request, i + 1)")],
        tests="Emulated/PageScores.SmallWideAndNarrowHeads/*",
        why="each page is scored by the bounds of the next, the last by those of a page that no list names",
    ),
    Mutant(
        name="accumulate_unguarded_tail",
        kind="unguarded tail",
        kernel="accumulate_scores",
        file="kernels/accumulate_scores_cuda.cu",
        changes=[("place < tokens;", "place < args.lists.max_tokens;")],
        tests="Emulated/AccumulateScores.SmallEveryGroupReductionAndSet/*",
        why="lists shorter than the longest are read past their end",
    ),
    Mutant(
        name="attention_unguarded_tail",
        kind="unguarded tail",
        kernel="decode_attention",
        file="kernels/decode_attention_general.cuh",
        changes=[("channel < first + kPackChannels<T> && channel < head_dim;", "channel < first + kPackChannels<T>;")],
        tests="Emulated/DecodeAttention.SmallOddShapes/*",
        why="a row that ends inside a pack is read on into what stands behind it",
    ),
    Mutant(
        name="attention_unguarded_round",
        kind="unguarded tail",
        kernel="decode_attention",
        file="kernels/decode_attention_fast.cuh",
        changes=[("if (first + i * L::kTeams < entries) {", "if (first + i * L::kTeams < kEntries) {")],
        tests="Emulated/DecodeAttention.SmallEveryShapeInFp32/*",
        why="the last round of a list reads slots behind its end, which nobody found",
    ),
    Mutant(
        name="attention_weights_of_another_round",
        kind="wrong round",
        kernel="decode_attention",
        file="kernels/decode_attention_fast.cuh",
        changes=[("weights[head * kScoreRow + entry];", "weights[head * kScoreRow + entry % (2 * L::kRound)];")],
        tests="Emulated/DecodeAttention.SmallEveryShapeInBf16/*:"
        "Emulated/DecodeAttention.SmallFastAndGeneralPathsAgree/*",
        why="from the third round on, values are weighed as those two rounds before",
    ),
    Mutant(
        name="merge_unguarded_tail",
        kind="unguarded tail",
        kernel="merge_states",
        file="kernels/merge_states_cuda.cu",
        changes=[("if (i >= states.count) {", "if (i > states.count) {")],
        tests="Emulated/MergeStates.SmallEveryShape/*",
        why="the state behind the last is another head's or beyond the array",
    ),
    Mutant(
        name="attention_reads_evicted_slot",
        kind="read of an evicted slot",
        kernel="decode_attention",
        file="kernels/decode_attention_block.cuh",
        changes=[
            (
                "Global<const std::int32_t>(lists.tokens).load(request) - first;",
                "pages_of(Global<const std::int32_t>(lists.tokens).load(request), lists.page_size) *"
                " lists.page_size - first;",
            )
        ],
        tests="Emulated/DecodeAttention.SmallEveryPageSize/*",
        why="the last page is attended to in full, with slots that hold nothing of this request",
    ),
    Mutant(
        name="bounds_read_evicted_slot",
        kind="read of an evicted slot",
        kernel="page_bounds",
        file="kernels/page_bounds_cuda.cu",
        changes=[
            ("const std::int64_t entries = left < page_size ? left : page_size;", "const std::int64_t entries = page_size;")
        ],
        tests="Emulated/PageBounds.SmallEveryPageSize/*",
        why="the bounds of a page enclose keys of tokens that are gone",
    ),
    Mutant(
        name="append_reads_evicted_page",
        kind="read of an evicted slot",
        kernel="append",
        file="kernels/append_cuda.cu",
        changes=[("starts_page || to_float(key) > to_float(highs.load(i))", "to_float(key) > to_float(highs.load(i))")],
        tests="Emulated/Append.SmallBoundsGrowToThoseOfThePages/*",
        why="a page that is used again keeps the bounds of the tokens before",
    ),
    Mutant(
        name="compact_appends_unread",
        kind="missing barrier",
        kernel="compact",
        file="kernels/compact_cuda.cu",
        changes=[
            (
                "  __syncthreads();\n  if (args.append_freed) {",
                "  if (args.append_freed) {",
            )
        ],
        tests="Emulated/Compact.SmallAppendsWhatItFrees/*",
        why="a freed number takes a place in the list that another thread has yet to read",
    ),
    Mutant(
        name="copy_rows_unguarded_tail",
        kind="unguarded tail",
        kernel="copy_rows",
        file="kernels/copy_rows_cuda.cu",
        changes=[("place < count; place += teams", "place < args.max_count; place += teams")],
        tests="Emulated/CopyRows.SmallEveryWidth/*",
        why="shorter lists are read past their end",
    ),
    Mutant(
        name="copy_rows_own_list",
        kind="wrong list",
        kernel="copy_rows",
        file="kernels/copy_rows_cuda.cu",
        changes=[("request - request % args.requests_per_set;", "request;")],
        tests="Emulated/CopyRows.SmallSetsShareTheListOfTheirFirst/*",
        why="requests of a set have lists of their own, which nothing wrote",
    ),
    Mutant(
        name="copy_rows_half_aligned",
        kind="misaligned access",
        kernel="copy_rows",
        file="kernels/copy_rows_cuda.cu",
        changes=[
            (
                "has_aligned_rows(args.in, args.row_bytes, 1) && has_aligned_rows(args.out, args.row_bytes, 1);",
                "args.row_bytes % 16 == 0;",
            )
        ],
        tests="Emulated/CopyRows.SmallEveryWidth/*",
        why="rows of whole packs that begin beside one are read by packs",
    ),
    Mutant(
        name="accumulate_joins_heads",
        kind="wrong head",
        kernel="accumulate_scores",
        file="kernels/accumulate_scores_cuda.cu",
        changes=[("head * args.score_head_stride + slot, weight", "slot, weight")],
        tests="Emulated/AccumulateScores.SmallEachHeadForItself/*",
        why="all heads add to the scores of the first",
    ),
    Mutant(
        name="topk_wrong_tie",
        kind="wrong tie",
        kernel="topk",
        file="kernels/topk_cuda.cu",
        changes=[
            ("return {prefix, equal - wanted};", "return {prefix, wanted};"),
            (
                "equal_before > threshold.skipped ? equal_before - threshold.skipped : 0;",
                "equal_before < threshold.skipped ? equal_before : threshold.skipped;",
            ),
            ("(is_equal && equal_before >= threshold.skipped)", "(is_equal && equal_before < threshold.skipped)"),
        ],
        tests="Emulated/Topk.SmallTiesKeepTheHighestPlaces/*:Emulated/Topk.SmallEvictsTheSmallestThenTheLowest/*",
        why="of equal scores the lower places are kept",
    ),
    Mutant(
        name="topk_tells_zeros_apart",
        kind="wrong tie",
        kernel="topk",
        file="kernels/topk_cuda.cu",
        changes=[("score == 0 ? 0U : __float_as_uint(score)", "__float_as_uint(score)")],
        tests="Emulated/Topk.SmallHardScores/*",
        why="-0 and 0 are equal, but no longer tie",
    ),
]


def mutant(name: str) -> Mutant:
    return next(m for m in TABLE if m.name == name)


def write(name: str, source: str, out: str) -> int:
    m = mutant(name)
    text = pathlib.Path(source, m.file).read_text("utf-8")
    for old, new in m.changes:
        found = text.count(old)
        if found != 1:
            print(
                f"mutant {name}: this text stands {found} times in {m.file} and must once; bring "
                f"tests/kernels/mutants/mutants.py up to date with the kernel:\n{old}",
                file=sys.stderr,
            )
            return 1
        text = text.replace(old, new)
    target = pathlib.Path(out, m.file)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    return 0


def run(program: str, tests: str, name: str) -> dict[str, bool]:
    """Whether each test passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        process = subprocess.run(
            [program, f"--gtest_filter={tests}", f"--gtest_output=json:{report}"],
            env={**os.environ, "LIL_MUTANT": name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if not report.exists():
            sys.exit(f"{program} with LIL_MUTANT={name} did not come to its end:\n{process.stdout[-4000:]}")
        suites = json.loads(report.read_text("utf-8"))["testsuites"]
    return {
        f"{suite['name']}.{case['name']}": "failures" not in case
        for suite in suites
        for case in suite["testsuite"]
        if case["result"] == "COMPLETED"
    }


def check(name: str, program: str) -> int:
    m = mutant(name)
    intact = run(program, m.tests, "")
    patterns = m.tests.split(":")
    if len(intact) < len(patterns) or not all(intact.values()):
        print(f"{m.tests} must run and pass on the kernels as they are: {intact}")
        return 1
    planted = run(program, m.tests, name)
    if planted.keys() != intact.keys() or any(planted.values()):
        print(f"not found by each of {m.tests}: {m.kind} in {m.file}, {m.why}: {planted}")
        return 1
    print(f"found: {m.kind} in {m.file}, {m.why}")
    return 0


def main(arguments: list[str]) -> int:
    match arguments:
        case ["list"]:
            print("\n".join(f"{m.name};{m.kernel};{m.file}" for m in TABLE))
            return 0
        case ["write", name, source, out]:
            return write(name, source, out)
        case ["registry", out]:
            pathlib.Path(out).write_text("".join(f"LIL_MUTANT({m.name}, {m.kernel})\n" for m in TABLE), "utf-8")
            return 0
        case ["check", name, program]:
            return check(name, program)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
