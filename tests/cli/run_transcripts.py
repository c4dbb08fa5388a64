#!/usr/bin/env python3
"""Runs transcripts of the command line and compares every byte of what they print.

    run_transcripts.py --bin DIR --source DIR [--update] [--needs-data] FILE…

A transcript is a text file. `$ command` runs in bash, in a fresh folder of the transcript's own; the lines
after it are what it prints to stdout and stderr, and `[N]` its exit status where that is not 0. Lines that
start with `#` are for the reader. --update writes what is printed into the file instead of comparing: look at
the difference before you keep it.

Commands see $SOURCE, the repository, and $DATA, the folder of real data that LIL_TEST_DATA names, where it is
there. With --needs-data and no such folder nothing runs and the exit status is 77, which ctest counts as skipped.
"""
import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TIMEOUT_S = 300
EXIT_SKIPPED = 77


def run_command(command: str, folder: str, environment: dict) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
    )
    printed = done.stdout.decode("utf-8", "replace").replace(folder, "$PWD")
    lines = printed.splitlines()
    if done.returncode != 0:
        lines.append(f"[{done.returncode}]")
    return lines


def replay(transcript: pathlib.Path, environment: dict) -> list[str]:
    """The transcript with every command's output made anew."""
    result = []
    with tempfile.TemporaryDirectory(prefix="lil-cli-") as folder:
        for line in transcript.read_text(encoding="utf-8").splitlines():
            if line.startswith("#") or not line:
                result.append(line)
            elif line.startswith("$ "):
                result.append(line)
                result.extend(printed or "\u00a0" for printed in run_command(line[2:], folder, environment))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--needs-data", action="store_true")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()

    # As the C++ tests have it (tests/support/test_data.h): a folder that is not there is no folder.
    data = os.environ.get("LIL_TEST_DATA")
    if data is not None and not os.path.isdir(data):
        data = None
    if arguments.needs_data and data is None:
        print("skipped: LIL_TEST_DATA is not set")
        return EXIT_SKIPPED

    kept = {name: value for name, value in os.environ.items() if not re.match("LIL_|DATA$", name)}
    environment = kept | {
        "PATH": f"{arguments.bin.resolve()}:{os.environ['PATH']}",
        "SOURCE": str(arguments.source.resolve()),
        "LC_ALL": "C.UTF-8",
    }
    if data is not None:
        environment["DATA"] = os.path.abspath(data)
    failed = 0
    for transcript in arguments.files:
        expected = transcript.read_text(encoding="utf-8").splitlines()
        printed = replay(transcript, environment)
        if arguments.update:
            transcript.write_text("\n".join(printed) + "\n", encoding="utf-8")
        elif printed != expected:
            failed += 1
            sys.stdout.writelines(
                line + "\n" for line in difflib.unified_diff(expected, printed, str(transcript), "printed", lineterm="")
            )
    print(f"{len(arguments.files) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
