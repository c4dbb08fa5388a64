#!/usr/bin/env python3
"""What must be true of the CUDA kernels as nvcc compiled them, read from the objects of the build and from what
ptxas said of them (OBJECT.log): no spills, no local memory, every architecture; the fast paths of decode_attention
all there and loading queries, keys and values 128 bits at a time; no PTX that one kind of GPU alone has or that a
simulator doesn't know, each load from a named state space; registers and shared memory as the table in
kernels/README.md says.

    nvcc_gate.py --readme README --nvcc VERSION [--update] OBJECT…     --update writes the table instead
    nvcc_gate.py --self-test
"""
import argparse
import collections
import dataclasses
import itertools
import pathlib
import re
import subprocess
import sys

ARCHITECTURES = ["sm_80", "sm_90", "sm_100"]
TYPES = {"float": "fp32", "__half": "fp16", "__nv_bfloat16": "bf16"}
TABLE_BEGINS = "<!-- registers: made by tests/kernels/nvcc_gate.py --update with nvcc {} -->"
TABLE_ENDS = "<!-- end of registers -->"

FAST = "decode_attention_fast"  # <type, head size, group>
FAST_INSTANCES = set(itertools.product(TYPES.values(), ["64", "128"], ["1", "2", "3", "4", "6", "7", "8"]))
# Instructions of tensor cores, of asynchronous copies and their barriers, of clusters; printf.
FORBIDDEN_PTX = re.compile(r"\b(?:wgmma|wmma|mma|ldmatrix)\.|\bcp\.async\.bulk\b|\bmbarrier\b|cluster|\bvprintf\b")
STATE_SPACES = {"param", "shared", "const", "global", "local"}  # a load without one is generic

GROUP_ARGUMENT = {FAST: 2}  # of the template arguments, the one whose values share a row of the table


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}<{', '.join(self.arguments)}>" if self.arguments else self.name


@dataclasses.dataclass
class Usage:
    registers: int = 0
    shared_bytes: int = 0
    stack_bytes: int = 0
    spilled_bytes: int = 0


def demangled(symbols: list[str]) -> dict[str, Kernel]:
    """`void lil::kernels::cuda::f<float, 64>(Args)` is Kernel("f", ("fp32", "64"))."""
    said = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True).stdout
    kernels = {}
    for symbol, text in zip(symbols, said.splitlines()):
        text = re.sub(r"\(anonymous namespace\)|\(\w+\)(?=\d)|\w*::", "", text)  # (bool)1 is 1
        name, arguments = re.match(r"(?:void )?(\w+)(?:<([^()]*)>)?\(", text).groups()
        split = [TYPES.get(a.strip(), a.strip()) for a in arguments.split(",")] if arguments else []
        kernels[symbol] = Kernel(name, tuple(split))
    return kernels


def usages_in(log: str) -> dict[tuple[str, str], Usage]:
    """By symbol and architecture, from what `ptxas -v` said."""
    usages = {}
    usage = Usage()
    for line in log.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            usage = usages[found[1], found[2]] = Usage()
        elif found := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            # Also said of functions that were not inlined: what they take counts for the kernel before them.
            usage.stack_bytes += int(found[1])
            usage.spilled_bytes += int(found[2]) + int(found[3])
        elif found := re.search(r"Used (\d+) registers", line):
            usage.registers = int(found[1])
            shared = re.search(r"(\d+) bytes smem", line)
            usage.shared_bytes = int(shared[1]) if shared else 0
    return usages


def loads_in(ptx: str) -> dict[str, collections.Counter]:
    """By symbol: how many loads from global memory of each spelling, as `v4.u32`, the kernel has."""
    return {
        symbol: collections.Counter(re.findall(r"\bld\.(?:volatile\.|relaxed\.)?global\.([\w.:]+)", body))
        for symbol, body in re.findall(r"\.entry (\w+)\((.*?)^\}", ptx, re.DOTALL | re.MULTILINE)
    }


def forbidden_in(ptx: str) -> collections.Counter:
    """How often each forbidden instruction and each spelling of generic loads stands there."""
    text = re.sub(r"^\s*\.file\b.*$|//.*$", "", ptx, flags=re.MULTILINE)  # paths may have any name
    found = collections.Counter(FORBIDDEN_PTX.findall(text))
    for qualifiers in re.findall(r"\bld((?:\.[\w:]+)+)", text):
        if not STATE_SPACES & {qualifier.split("::")[0] for qualifier in qualifiers.split(".")}:
            found[f"ld{qualifiers}"] += 1
    return found


def bits_of(spelling: str) -> int:
    vector, bits = re.search(r"(?:v(\d)\.)?[usbf](\d+)$", spelling).groups()
    return int(vector or 1) * int(bits)


def ptx_in(binary: bytes) -> str:
    """The PTX that an object holds, uncompressed."""
    return "\n".join(found.decode() for found in re.findall(rb"\.version \d[^\0]*", binary))


def wide_loads(loads: collections.Counter) -> int:
    return sum(count for spelling, count in loads.items() if bits_of(spelling) == 128)


class Build:
    """The kernels of all objects: usages[kernel][architecture], loads[kernel]."""

    def __init__(self, logs: list[str], ptx: list[str]):
        usages = {key: usage for log in logs for key, usage in usages_in(log).items()}
        loads = {symbol: counts for text in ptx for symbol, counts in loads_in(text).items()}
        kernels = demangled(sorted({symbol for symbol, _ in usages} | set(loads)))
        self.warnings = [line for log in logs for line in log.splitlines() if re.search(r"\bwarning\b", line)]
        self.usages: dict[Kernel, dict[str, Usage]] = collections.defaultdict(dict)
        for (symbol, architecture), usage in usages.items():
            self.usages[kernels[symbol]][architecture] = usage
        self.loads = {kernels[symbol]: counts for symbol, counts in loads.items()}
        self.forbidden = forbidden_in("\n".join(ptx))


def findings_in_usages(build: Build) -> list[str]:
    findings = [f"a warning: {line}" for line in build.warnings]
    findings += [f"the PTX has {spelling} in {count} places" for spelling, count in build.forbidden.items()]
    if not build.usages:
        findings.append("the logs name no kernel")
    for kernel, by_architecture in build.usages.items():
        if set(by_architecture) != set(ARCHITECTURES):
            findings.append(f"{kernel} was compiled for {sorted(by_architecture)}, not for {ARCHITECTURES}")
        if kernel not in build.loads:
            findings.append(f"{kernel} has no PTX in its object")
        for architecture, usage in by_architecture.items():
            if usage.stack_bytes or usage.spilled_bytes:
                findings.append(
                    f"{kernel} on {architecture} has {usage.stack_bytes} bytes of stack, {usage.spilled_bytes} spilled"
                )
            if not usage.registers:
                findings.append(f"{kernel} on {architecture}: ptxas said nothing of its registers")
    return findings


def findings_in_loads(build: Build) -> list[str]:
    """A fast path loads elements 128 bits at a time: a load a query head, and as many of keys as of values. What
    else it loads are the 32-bit integers of its list, the same number whatever type, head size and group."""
    fast = {kernel.arguments: loads for kernel, loads in build.loads.items() if kernel.name == FAST}
    findings = []
    if set(fast) != FAST_INSTANCES:
        findings.append(f"{FAST}: missing {sorted(FAST_INSTANCES - set(fast))}, more {sorted(set(fast) - FAST_INSTANCES)}")
    others = collections.Counter()
    for arguments, loads in fast.items():
        kernel = Kernel(FAST, arguments)
        rows = wide_loads(loads) - int(arguments[GROUP_ARGUMENT[FAST]])
        if rows < 2 or rows % 2:
            findings.append(f"{kernel} loads keys and values in {rows} places 128 bits at a time: {dict(loads)}")
        narrow = {s: n for s, n in loads.items() if bits_of(s) != 128}
        if any(bits_of(spelling) != 32 or "f" in spelling for spelling in narrow):
            findings.append(f"{kernel} loads more than lists in other than 128 bits: {narrow}")
        others[sum(narrow.values())] += 1
    if len(others) > 1:
        findings.append(f"{FAST}: instances differ in how many narrow loads they have: {dict(others)}")
    return findings


def in_one(values: list) -> str:
    return str(values[0]) if len(set(values)) == 1 else " ".join(map(str, values))


def table_of(build: Build) -> str:
    """A row for each kernel and its template arguments; instances that differ in the group alone share one."""
    rows = collections.defaultdict(list)
    for kernel in build.usages:
        place = GROUP_ARGUMENT.get(kernel.name)
        kept = tuple(a for i, a in enumerate(kernel.arguments) if i != place)
        group = int(kernel.arguments[place]) if place is not None else 0
        rows[kernel.name, kept].append((group, kernel))

    def order(row):
        name, arguments = row
        ranks = {short: rank for rank, short in enumerate(TYPES.values())}
        return name, [(ranks.get(a, 9), int(a) if a.isdigit() else 0, a) for a in arguments]

    lines = [
        "| kernel | instance | groups | sm_80 | sm_90 | sm_100 | shared bytes | 128-bit loads |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, arguments in sorted(rows, key=order):
        groups, kernels = zip(*sorted(rows[name, arguments], key=lambda pair: pair[0]))
        registers = [" ".join(str(build.usages[k][a].registers) for k in kernels) for a in ARCHITECTURES]
        shared = in_one([in_one([build.usages[k][a].shared_bytes for k in kernels]) for a in ARCHITECTURES])
        loads = in_one([wide_loads(build.loads[k]) for k in kernels])
        cells = [f"`{name}`", ", ".join(arguments), " ".join(map(str, groups)) if groups != (0,) else ""]
        lines.append("".join(f"| {cell} " if cell else "| " for cell in [*cells, *registers, shared, loads]) + "|")
    return "\n".join(lines)


def parts_of(readme: str) -> tuple[str, str, str, str]:
    """The text before the table, the nvcc that made it, the table, the text after it."""
    begins = re.escape(TABLE_BEGINS).replace(r"\{\}", r"(\S+)")
    found = re.search(rf"^{begins}\n(.*?)\n?{re.escape(TABLE_ENDS)}", readme, re.DOTALL | re.MULTILINE)
    if not found:
        sys.exit(f"the markers of the table are not in the README: {TABLE_BEGINS} … {TABLE_ENDS}")
    return readme[: found.start()], found[1], found[2].strip(), readme[found.end() :]


def findings_in_table(readme: str, table: str) -> list[str]:
    said = parts_of(readme)[2].splitlines()
    made = table.splitlines()
    if said == made:
        return []
    return ["the table in the README is not of these kernels; nvcc_gate.py --update makes it anew:"] + [
        f"  {sign} {line}" for sign, a, b in (("-", said, made), ("+", made, said)) for line in a if line not in b
    ]


def compare(build: Build, readme: pathlib.Path, nvcc: str, update: bool) -> list[str]:
    text = readme.read_text("utf-8")
    findings = findings_in_usages(build) + findings_in_loads(build)
    if findings:
        return findings
    if update:
        before, _, _, after = parts_of(text)
        made = f"{TABLE_BEGINS.format(nvcc)}\n\n{table_of(build)}\n\n{TABLE_ENDS}"
        readme.write_text(f"{before}{made}{after}", "utf-8")
        return []
    made_with = parts_of(text)[1]
    if made_with != nvcc:
        print(f"the table in the README is of nvcc {made_with}, this is {nvcc}: registers were not compared")
        return []
    return findings_in_table(text, table_of(build))


def self_test() -> int:
    """A build without a fault passes; each planted fault is found."""

    def symbol(arguments: tuple[str, ...]) -> str:
        mangled = {"fp32": "f", "fp16": "6__half", "bf16": "13__nv_bfloat16"}
        kind, head, group = arguments
        return f"_ZN3lil7kernels4cuda21{FAST}I{mangled[kind]}Li{head}ELi{group}EEEvi"

    def log_of(arguments: tuple[str, ...]) -> str:
        return "".join(
            f"ptxas info    : Compiling entry function '{symbol(arguments)}' for '{architecture}'\n"
            f"ptxas info    : Function properties for {symbol(arguments)}\n"
            "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
            "ptxas info    : Used 40 registers, used 1 barriers, 512 bytes smem, 400 bytes cmem[0]\n"
            for architecture in ARCHITECTURES
        )

    def ptx_of(arguments: tuple[str, ...]) -> str:
        wide = "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];\n" * (int(arguments[2]) + 16)
        return f".visible .entry {symbol(arguments)}(\n.param .b32 p\n)\n{{\nld.global.u32 %r5, [%rd2];\n{wide}}}\n"

    instances = sorted(FAST_INSTANCES)
    log = "".join(map(log_of, instances))
    ptx = "".join(map(ptx_of, instances))
    table = table_of(Build([log], [ptx]))
    readme = f"{TABLE_BEGINS.format('13.0')}\n\n{table}\n\n{TABLE_ENDS}\n"

    def findings(log=log, ptx=ptx, readme=readme) -> list[str]:
        build = Build([log], [ptx])
        return findings_in_usages(build) + findings_in_loads(build) or findings_in_table(readme, table_of(build))

    narrow = ptx.replace("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];", "ld.global.u16 %rs1, [%rd1];", 1)
    scalar = ptx.replace("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];\n", "ld.global.u32 %r1, [%rd1];\n" * 2, 2)
    def with_instruction(instruction: str) -> list[str]:
        return findings(ptx=ptx.replace("{\n", f"{{\n{instruction};\n", 1))

    forbidden = [
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1}, {%r1}, {%r2}, {%f2}",
        "wgmma.fence.sync.aligned",
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1}, [%r2]",
        "cp.async.bulk.commit_group",
        "mbarrier.init.shared.b64 [%r1], 1",
        "barrier.cluster.arrive",
        "mov.u32 %r1, %cluster_ctaid.x",
        "call.uni (%r1), vprintf, (%rd1, %rd2)",
        "ld.u32 %r1, [%rd1]",
        "ld.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1]",
        "ld.volatile.f32 %f1, [%rd1]",
        "ld.relaxed.gpu.u32 %r1, [%rd1]",
    ]
    allowed = [
        "ld.shared::cta.u32 %r1, [%r2]",
        "ld.param.u64 %rd1, [p]",
        "ld.const.f32 %f1, [c]",
        "ld.local.u32 %r1, [%rd1]",
        "fma.rn.f32 %f1, %f2, %f3, %f4",
    ]
    planted = {
        **{instruction: with_instruction(instruction) for instruction in forbidden},
        "a spill": findings(log=log.replace("0 bytes spill stores", "8 bytes spill stores", 1)),
        "a stack": findings(log=log.replace("0 bytes stack", "16 bytes stack", 1)),
        "a warning": findings(log=log + "ptxas warning : something\n"),
        "an architecture left out": findings(log=log.replace("'sm_100'", "'sm_90'", 1)),
        "an instance left out": findings(log="".join(map(log_of, instances[1:])), ptx="".join(map(ptx_of, instances[1:]))),
        "no PTX": findings(ptx="".join(map(ptx_of, instances[1:]))),
        "no log": findings(log=""),
        "16-bit loads": findings(ptx=narrow),
        "32-bit loads of elements": findings(ptx=scalar),
        "64-bit loads": findings(ptx=ptx.replace("v4.u32", "v2.u32")),
        "another register": findings(log=log.replace("Used 40", "Used 41", 1)),
        "other shared memory": findings(log=log.replace("512 bytes smem", "516 bytes smem", 1)),
        "a wrong table": findings(readme=readme.replace("| 512 |", "| 508 |", 1)),
    }
    missed = [fault for fault, found in planted.items() if not found]
    print("".join(f"not found: {fault}\n" for fault in missed), end="")
    accused = findings() + [finding for instruction in allowed for finding in with_instruction(instruction)]
    print("".join(f"wrongly accused: {finding}\n" for finding in accused), end="")
    return 1 if missed or accused else 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--readme", type=pathlib.Path)
    parser.add_argument("--nvcc")
    parser.add_argument("objects", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    logs = [pathlib.Path(f"{path}.log").read_text("utf-8") for path in options.objects]
    build = Build(logs, [ptx_in(path.read_bytes()) for path in options.objects])
    findings = compare(build, options.readme, options.nvcc, options.update)
    fast = [wide_loads(loads) for kernel, loads in build.loads.items() if kernel.name == FAST]
    print("\n".join([*findings, f"{len(build.usages)} kernels, {len(findings)} findings"]))
    print(f"128-bit loads of the {len(fast)} fast paths of decode_attention: {min(fast, default=0)} to {max(fast, default=0)}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
