#!/usr/bin/env python3
"""Installs Lil beside, builds the example decode loop against it as a foreign project, and runs it.

    installed_guardian.py BUILD_FOLDER SOURCE_FOLDER CMAKE SANITIZERS
"""
import pathlib
import subprocess
import sys
import tempfile

BUILD, SOURCE, CMAKE, SANITIZERS = sys.argv[1:]


def run(*command: str) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    prefix, build = pathlib.Path(folder, "prefix"), pathlib.Path(folder, "build")
    run(CMAKE, "--install", BUILD, "--prefix", prefix)
    flags = f"-fsanitize={SANITIZERS}" if SANITIZERS else ""
    run(CMAKE, "-S", pathlib.Path(SOURCE, "replay/online/example"), "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_C_FLAGS={flags}")
    run(CMAKE, "--build", build)
    # 4,000 bytes of squares, then the same again: 1,000 tokens of news and no more.
    text = " ".join(str(n * n) for n in range(1000))[:4000]
    pathlib.Path(folder, "text").write_text(text)
    said = run(build / "decode_loop", pathlib.Path(folder, "text"), "guardian(f=100,t=30)")
    expected = "watching with guardian(f=100,t=30,signal=zlib(level=6),stream=text)\nstopped after 1100 tokens\n"
    if said != expected:
        sys.exit(f"expected:\n{expected}got:\n{said}")
