"""Stores for the browser tests, made through the command line."""

import json
import pathlib
import subprocess

RULES = ["guardian(f=50,t=10)", "guardian(f=150,t=20)", "guardian(f=50,t=40,patience=2,warmup=100)", "cap(tokens=300)"]

# What a page must show as the text that it is: in markup, in JSON, in two directions, in no encoding at all.
NASTY = (
    "<script>alert(1)</script> </script><!-- <b>bold</b> &amp; &lt; 'single' \"double\" \\u003c \U0001f600 e\u0301 "
    "\u202eto the left\u202c \u05e9\u05dc\u05d5\u05dd \u2028 \t|\n"
)


class Lil:
    def __init__(self, programs: pathlib.Path, folder: pathlib.Path):
        self.program = programs / "lil"
        self.folder = folder

    def __call__(self, *arguments) -> str:
        done = subprocess.run(
            [self.program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"lil {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}")
        return done.stdout + done.stderr

    def replay_and_grade(self, store: str, every: int = 50, signals=("zlib(level=6)", "lz77")):
        for signal in signals:
            self("replay", store, "--signal", signal, "--every", every, "--progress", "none")
        self("grade", store, "--progress", "none")

    def report(self, store: str, page: str, *options) -> pathlib.Path:
        self("report", store, "-o", page, *options)
        return self.folder / page


def write_log(path: pathlib.Path, records: list):
    """JSON lines; bytes are taken as they are."""
    lines = [
        record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode() for record in records
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")


def planted(lil: Lil) -> str:
    """Two runs with texts that a page could trip over, loops, and right and wrong answers."""
    loop = "Wait, let me check that again. " * 60
    prose = " ".join(f"Step {i}: {i * 7919 % 1013} and {i * i}." for i in range(90))
    records = [
        {
            "id": "<i>1</i>",
            "problem": NASTY,
            "output": NASTY * 3 + prose + " \\boxed{3} " + loop,
            "gold": "3",
            "model": "m<i>",
            "policy": "full",
        },
        {
            "id": "2",
            "problem": "?",
            "output": prose + " \\boxed{5} no: \\boxed{4}.",
            "gold": "4",
            "model": "m<i>",
            "policy": "full",
        },
        b'{"id":"3","gold":"3","model":"m<i>","policy":"full","output":"broken \xff\xc3( \xe2\x82 and \xf0\x9f\x98 '
        b'here \xed\xa0\x80 \xc0\xaf end \\\\boxed{4}"}',
        {"id": "4", "output": loop * 40, "gold": "3", "model": "m<i>", "policy": "sink(budget=64)"},
        {"id": "5", "output": "\\boxed{9}", "gold": "9", "model": "m<i>", "policy": "sink(budget=64)"},
    ]
    write_log(lil.folder / "planted.jsonl", records)
    lil("import", "planted.db", "planted.jsonl", "--progress", "none")
    lil.replay_and_grade("planted.db")
    return "planted.db"


def short(
    lil: Lil,
    name: str,
    traces: int,
    gold: bool = True,
    text: str = "Three and {i} make \\boxed{{{i}}}.",
    every: int = 50,
) -> str:
    """Traces of a few words."""
    records = [{"id": str(i), "output": text.format(i=i)} | ({"gold": str(i)} if gold else {}) for i in range(traces)]
    write_log(lil.folder / f"{name}.jsonl", records)
    lil("import", f"{name}.db", f"{name}.jsonl", "--progress", "none")
    lil.replay_and_grade(f"{name}.db", every=every, signals=("zlib(level=6)",))
    return f"{name}.db"
