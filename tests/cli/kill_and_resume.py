#!/usr/bin/env python3
"""Kills `lil record` with SIGKILL at random moments, many traces in mid-batch, and shows that nothing is lost.

    kill_and_resume.py --bin DIR --source DIR [--kills 6] [--seed 1]

After every kill the store must open, pass SQLite's integrity check and `lil trace check`, and still hold every
token that was there before. The store finished by resuming must equal that of an undisturbed run, token for token.
"""
import argparse
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

def record_command(bin_dir: pathlib.Path, source: pathlib.Path, store: pathlib.Path) -> list[str]:
    model = source / "tools/demo_model"
    return [
        str(bin_dir / "lil-record"),
        str(store),
        "--model",
        str(model / "lil-demo-1m"),
        "--problems",
        str(model / "problems.jsonl"),
        "--first",
        "14",
        "--max-tokens",
        "700",
        "--batch",
        "8",
        "--probe-answers",
        r"every=100,tokens=8,closing=\nThe answer is \boxed{",
        "--policy",
        "full",
        "--policy",
        "sink(budget=128)",
        "--sampler",
        "sample(temperature=0.6,top_p=0.95)",
        "--progress",
        "none",
        "--threads",
        "2",
    ]


def exported(bin_dir: pathlib.Path, store: pathlib.Path) -> str:
    """Every trace with its probes and all that was recorded a token, in order of uid: rows may be written in any order."""
    done = subprocess.run(
        [str(bin_dir / "lil"), "trace", "export", str(store), "--per-token"], check=True, capture_output=True, text=True
    )
    return "\n".join(sorted(done.stdout.splitlines()))


def committed_tokens(store: pathlib.Path) -> dict[str, int]:
    with sqlite3.connect(store) as database:
        problems = database.execute("PRAGMA integrity_check").fetchall()
        assert problems == [("ok",)], problems
        return dict(database.execute("SELECT uid, tokens FROM v_trace"))


def kill_after(command: list[str], seconds: float) -> bool:
    """True if the program was still at work when it was killed."""
    with subprocess.Popen(command, **QUIET) as program:
        try:
            program.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            return True
    assert program.returncode == 0, program.returncode
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("LIL_KILLS", "6")))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)

    with tempfile.TemporaryDirectory(prefix="lil-kill-") as folder:
        undisturbed = pathlib.Path(folder) / "undisturbed.db"
        start = time.monotonic()
        subprocess.run(record_command(arguments.bin, arguments.source, undisturbed), check=True, **QUIET)
        whole_s = time.monotonic() - start
        expected = exported(arguments.bin, undisturbed)

        kills = 0
        in_pieces = pathlib.Path(folder) / "in_pieces.db"
        before: dict[str, int] = {}
        while kills < arguments.kills:
            # A run that gets to its end starts over, so that every kill is one.
            if not kill_after(record_command(arguments.bin, arguments.source, in_pieces), moments.uniform(0, whole_s)):
                assert exported(arguments.bin, in_pieces) == expected, "the resumed store differs"
                for file in pathlib.Path(folder).glob("in_pieces.db*"):
                    file.unlink()
                before = {}
                continue
            kills += 1
            if not in_pieces.exists() or in_pieces.stat().st_size == 0:
                continue
            try:
                after = committed_tokens(in_pieces)
            except sqlite3.OperationalError as error:
                assert "no such table" in str(error) and not before, error  # killed before the first migration
                continue
            for uid, tokens in before.items():
                assert after.get(uid, 0) >= tokens, f"trace {uid} had {tokens} tokens and has {after.get(uid)}"
            subprocess.run(
                [str(arguments.bin / "lil"), "trace", "check", str(in_pieces)], check=True, stdout=subprocess.DEVNULL
            )
            before = after
        subprocess.run(record_command(arguments.bin, arguments.source, in_pieces), check=True, **QUIET)
        assert exported(arguments.bin, in_pieces) == expected, "the resumed store differs"
    print(f"{kills} kills within {whole_s:.1f} s of recording: nothing lost, the stores are equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
