#!/usr/bin/env python3
"""What kernels_cuda_test may ask of the machine, so that a simulator of PTX can stand in for CUDA: of CUDA's libraries
the runtime alone, as a shared library; of the runtime the calls below; PTX for compute_80 inside; no libtorch.

    cuda_program_check.py PROGRAM | --self-test
"""
import pathlib
import re
import subprocess
import sys

RUNTIME = "libcudart.so"
# What nvcc writes around kernels: registering and launching them.
REGISTERING = {
    "__cudaGetKernel",
    "__cudaInitModule",
    "__cudaLaunchKernel",
    "__cudaPopCallConfiguration",
    "__cudaPushCallConfiguration",
    "__cudaRegisterFatBinary",
    "__cudaRegisterFatBinaryEnd",
    "__cudaRegisterFunction",
    "__cudaUnregisterFatBinary",
}
# malloc, memcpy, memset, launch, streams, events, attributes, errors.
ORDINARY = r"""
    cudaMalloc|cudaFree
    |cudaMemcpy(Async)?|cudaMemset(Async)?
    |cudaLaunchKernel
    |cudaStream(Create|CreateWithFlags|Destroy|Synchronize|Query|WaitEvent)
    |cudaEvent(Create|CreateWithFlags|Destroy|Record|Synchronize|Query|ElapsedTime)
    |cudaDevice(GetAttribute|Synchronize)|cudaFuncGetAttributes|cudaGetDevice(Count)?|cudaSetDevice
    |cudaGetLastError|cudaPeekAtLastError|cudaGetErrorName|cudaGetErrorString
"""
# Of CUDA and of libtorch; C++'s own libraries and the tests' are the machine's.
LIBRARIES = r"lib(cu|nv|npp|nccl|torch|c10)\w*\.so"


def findings(libraries: str, symbols: str, program: bytes) -> list[str]:
    """From what `ldd` and `nm -D --undefined-only` say of the program, and its bytes."""
    found = []
    linked = {m[0] for m in re.finditer(LIBRARIES, libraries)}
    if RUNTIME not in linked:
        found.append(f"{RUNTIME} is not among its shared libraries")
    found += [f"it is linked to {library}" for library in sorted(linked - {RUNTIME})]
    found += [line.strip() for line in libraries.splitlines() if "not found" in line]
    imported = set(re.findall(r"\bU (_{0,2}cu(?:da|blas|rand)?[A-Z]\w*)", symbols))  # versions, as @libcudart.so.13, end it
    ordinary = re.compile(ORDINARY, re.VERBOSE)
    found += [
        f"it calls {name}" for name in sorted(imported - REGISTERING) if not ordinary.fullmatch(name)
    ]
    if "__cudaRegisterFatBinary" not in imported:
        found.append("it registers no kernels")
    if b".target sm_80" not in program:
        found.append("no PTX for compute_80 is in it, uncompressed")
    return found


def self_test() -> int:
    libraries = "libcudart.so.13 => /lib/libcudart.so.13 (0x1)\nlibc.so.6 => /lib/libc.so.6 (0x2)\n"
    symbols = (
        " U __cudaRegisterFatBinary@libcudart.so.13\n U cudaMalloc@libcudart.so.13\n U curious\n"
        " U cudaStreamSynchronize@libcudart.so.13\n"
    )
    program = b"\0.version 9.0\n.target sm_80\n\0"
    planted = {
        "a static runtime": findings("libc.so.6 => /lib/libc.so.6 (0x2)\n", symbols, program),
        "cuBLAS": findings(libraries + "libcublas.so.13 => /lib/libcublas.so.13 (0x1)\n", symbols, program),
        "the driver": findings(libraries + "libcuda.so.1 => /lib/libcuda.so.1 (0x1)\n", symbols, program),
        "libtorch": findings(libraries + "libtorch_cpu.so => /lib/libtorch_cpu.so (0x1)\n", symbols, program),
        "a library that is missing": findings(libraries + "libx.so => not found\n", symbols, program),
        "a graph": findings(libraries, symbols + " U cudaGraphLaunch@libcudart.so.13\n", program),
        "managed memory": findings(libraries, symbols + " U cudaMallocManaged@libcudart.so.13\n", program),
        "a device variable": findings(libraries, symbols + " U __cudaRegisterVar@libcudart.so.13\n", program),
        "the driver's interface": findings(libraries, symbols + " U cuLaunchKernel\n", program),
        "no kernels": findings(libraries, symbols.replace("__cudaRegisterFatBinary", "x"), program),
        "other PTX": findings(libraries, symbols, program.replace(b"80", b"90")),
    }
    missed = [fault for fault, found in planted.items() if len(found) != 1]
    print("".join(f"not found: {fault}: {planted[fault]}\n" for fault in missed), end="")
    accused = findings(libraries, symbols, program)
    print("".join(f"wrongly accused: {finding}\n" for finding in accused), end="")
    return 1 if missed or accused else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    program = pathlib.Path(sys.argv[1])

    def said(*command: str) -> str:
        return subprocess.run([*command, program], capture_output=True, text=True, check=True).stdout

    symbols = said("nm", "-D", "--undefined-only")
    found = findings(said("ldd"), symbols, program.read_bytes())
    print("\n".join([*found, f"{len(found)} findings; it calls:", *sorted(re.findall(r"\bU (\w*cuda\w+)", symbols))]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
