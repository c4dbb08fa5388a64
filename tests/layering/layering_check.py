#!/usr/bin/env python3
"""Fails on an arrow between rooms that the architecture does not have, on an outside header out of its place, and
on a library that prints, exits, or reads the clock or the environment.

    layering_check.py SOURCE_FOLDER | --self-test
"""
import pathlib
import re
import sys

# A room may include itself and these. record/tokenizer is a room of its own: it knows no libtorch.
ARROWS = {
    "schemas": set(),
    "kernels": set(),
    "record/tokenizer": {"schemas"},
    "record": {"record/tokenizer", "kernels", "schemas"},
    "replay": {"schemas"},
    "analyze": {"replay", "schemas"},
    "tools": {"analyze", "replay", "record", "record/tokenizer", "schemas"},
}

# (header, files that may include it, why); tests may include what they test against.
PLACES = [
    (r"(torch|ATen|c10)/.*", r"record/torch/[^/]*\.cpp", "libtorch stays in record/torch/*.cpp"),
    (r"sqlite3\.h|SQLiteCpp/.*", r"schemas/[^/]*\.cpp", "SQLite stays in schemas/*.cpp"),
    (r"(zlib|lz4.*|lzma|bzlib|brotli/.*)\.h", r"replay/signals/.*", "compressors stay in replay/signals"),
    (
        r"zstd\.h",
        r"replay/signals/.*|schemas/run_store\.cpp",
        "zstd stays in replay/signals and where the store packs vocabularies",
    ),
    (
        r"hwy/.*",
        r"kernels/([^/]*\.cpp|[^/]*-inl\.h|target_table\.h)",
        "Highway stays in kernels/*.cpp and headers that they alone include",
    ),
    (
        r"(cuda|cooperative_groups|mma|cub/|thrust/|nv/|device_access).*",
        r"kernels/.*\.(cu|cuh)",
        "CUDA's headers stay in the kernels' .cu and .cuh",
    ),
    (r"boost/program_options.*", r"tools/.*", "Boost.Program_options stays in tools"),
    (r"rapidjson/.*", r"tools/import/.*", "RapidJSON stays in tools/import"),
    (r"pcre2\.h", r"record/tokenizer/.*", "PCRE2 stays in record/tokenizer"),
    (r"nlohmann/.*", r".*\.cpp|record/tokenizer/json_node\.h", "nlohmann/json stays out of headers that others include"),
]

LIBRARY_HABITS = [
    (r"std::(cout|cerr|clog)|\b(printf|puts|perror|fprintf)\s*\(|fmt::print", "a library never prints"),
    (r"\b(std::)?(exit|abort|quick_exit|_Exit)\s*\(", "a library never exits"),
    (r"_clock::now|\bclock_gettime|\bgettimeofday|\bstd::time\s*\(", "a library never reads the clock"),
    (r"\bgetenv\s*\(", "a library never reads the environment"),
]

INCLUDE = re.compile(r'\s*#\s*include\s*(?:"(?P<quoted>[^"]+)"|<(?P<angled>[^>]+)>)')
SOURCES = {".h", ".cpp", ".cu", ".cuh", ".in"}


def room_of(file: str) -> str:
    return "record/tokenizer" if file.startswith("record/tokenizer/") else file.split("/")[0]


def findings_in_include(file: str, quoted: str | None, angled: str | None) -> list[str]:
    room = room_of(file)
    if room == "tests":
        return []
    if quoted:
        target = room_of(quoted)
        if target == room or target in ARROWS[room]:
            return []
        return [f'{file} includes "{quoted}": there is no arrow from {room} to {target}']
    return [
        f"{file} includes <{angled}>: {why}"
        for header, allowed, why in PLACES
        if re.fullmatch(header, angled) and not re.fullmatch(allowed, file)
    ]


def findings_in(file: str, text: str) -> list[str]:
    findings = []
    library = room_of(file) not in ("tools", "tests")
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            findings += findings_in_include(file, include["quoted"], include["angled"])
        if library:
            code = line.split("//")[0]
            findings += [f"{file}:{number}: {why}" for habit, why in LIBRARY_HABITS if re.search(habit, code)]
    return findings


def self_test() -> int:
    """A planted fault of each kind must be found, and innocent files pass."""
    planted = [
        ("replay/a.cpp", '#include "record/recorder.h"'),
        ("record/a.cpp", '#include "replay/guardian.h"'),
        ("record/tokenizer/a.cpp", '#include "record/recorder.h"'),
        ("schemas/a.cpp", '#include "tests/support/x.h"'),
        ("record/a.cpp", "#include <torch/torch.h>"),
        ("record/torch/a.h", "#include <ATen/ATen.h>"),
        ("kernels/a.cpp", "#include <ATen/ATen.h>"),
        ("kernels/a.h", "#include <hwy/highway.h>"),
        ("kernels/a.cpp", "#include <cuda_runtime.h>"),
        ("kernels/a.h", "#include <device_access.cuh>"),
        ("schemas/store.h", "#include <sqlite3.h>"),
        ("tools/a.cpp", "#include <zlib.h>"),
        ("analyze/a.cpp", "  std::cout << 1;"),
        ("replay/a.cpp", "auto t = std::chrono::steady_clock::now();"),
        ("schemas/a.cpp", 'const char* home = getenv("HOME");'),
        ("record/a.cpp", "  std::exit(1);"),
    ]
    missed = [fault for fault in planted if len(findings_in(*fault)) != 1]
    for file, text in missed:
        print(f"not found: {file}: {text}")
    innocent = [
        ("tools/a.cpp", '#include "analyze/cells.h"\n#include <boost/program_options.hpp>\nstd::cout << 1;\n'),
        ("kernels/a_cuda.cu", '#include <device_access.cuh>\n#include "kernels/checks.h"\n'),
        ("kernels/simt/a.cuh", "#include <cuda_fp16.h>"),
        ("record/torch/a.cpp", "#include <c10/cuda/CUDAStream.h>"),
        ("kernels/a.cpp", "#include <hwy/highway.h>"),
        ("kernels/a-inl.h", "#include <hwy/highway.h>"),
        ("tests/kernels/cuda_a.cpp", "#include <cuda_runtime_api.h>"),
    ]
    accused = [finding for file, text in innocent for finding in findings_in(file, text)]
    print("".join(f"wrongly accused: {finding}\n" for finding in accused), end="")
    return 1 if missed or accused else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(sys.argv[1])
    files = [f for room in [*{r.split("/")[0] for r in ARROWS}, "tests"] for f in sorted((root / room).rglob("*"))]
    files = [f for f in files if f.suffix in SOURCES]
    findings = [line for f in files for line in findings_in(f.relative_to(root).as_posix(), f.read_text("utf-8"))]
    print("\n".join([*findings, f"{len(files)} files, {len(findings)} findings"]))
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main())
