#!/usr/bin/env bash
# What only a machine with a GPU can tell: the CUDA kernels' tests, compute-sanitizer, the bandwidth, and recordings
# on the GPU. No such machine was at hand when this was written.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/cuda_torch.sh

usage="usage: tools/gpu_check.sh [--help]
Builds the CUDA kernels with their tests and bench (release, without the recorder, in build/gpu) and runs on the
first GPU, of compute capability 8.0 or more:
  1 kernels_cuda_test, all of it
  2 compute-sanitizer: memcheck on all of it; racecheck, initcheck, synccheck on its Small cases
  3 kernels_cuda_bench: achieved over ideal bandwidth of decode_attention
  4 with a CUDA libtorch, the preset cuda (in build/cuda): record_cuda_test; the demo model recorded on the GPU under
    full, sink, h2o and quest, in fp32 against the token streams of the CPU, in bf16 one by one against a batch
LIL_TORCH names the libtorch's folder, else python3's is used, or the one that ./check --cuda installed. CUDACXX
names the nvcc to use. Every log stays in build/gpu/logs.
Exit status: 0 all that ran is well, and what was left out is said; 1 something failed; 2 wrong usage; 3 no nvcc,
or no GPU that these kernels run on."
case "${1-}" in
  "") ;;
  --help | -h) echo "$usage"; exit 0 ;;
  *) echo "$usage" >&2; exit 2 ;;
esac

folder=build/gpu
logs=$folder/logs
summary=()
failed=no
step() { printf '\n== %s\n' "$*"; }
missing() { echo "gpu_check: $*" >&2; exit 3; }
# record NAME yes|no: a line of the summary.
record() {
  if [ "$2" = yes ]; then summary+=("ok      $1"); else summary+=("FAILED  $1"); failed=yes; fi
}
# logged LOG COMMAND…: on the screen and in the log, with the command's exit status.
logged() {
  local log=$logs/$1
  shift
  "$@" 2>&1 | tee "$log"
}
# quietly LOG COMMAND…: in the log; its end on the screen where the command fails.
quietly() {
  local log=$logs/$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; echo "failed: $* (whole log: $log)" >&2; return 1; }
}
# program NAME: its path, from PATH or from the CUDA toolkit's usual place; empty where it is not.
program() {
  command -v "$1" || { [ -x "/usr/local/cuda/bin/$1" ] && echo "/usr/local/cuda/bin/$1"; } || true
}

step "machine"
nvcc=${CUDACXX:-$(program nvcc)}
[ -n "$nvcc" ] || missing "nvcc was not found: neither CUDACXX, PATH nor /usr/local/cuda/bin has it"
found=$(command -v "$nvcc" || true)
[ -x "$found" ] || missing "CUDACXX=$nvcc is not a program"
nvcc=$(cd "$(dirname "$found")" && pwd)/$(basename "$found")
command -v nvidia-smi >/dev/null || missing "nvidia-smi was not found: is the NVIDIA driver installed?"
gpus=$(nvidia-smi --query-gpu=index,name,compute_cap,driver_version --format=csv,noheader 2>&1) ||
  missing "nvidia-smi failed, so no GPU can be used: $gpus"
[ -n "$gpus" ] || missing "nvidia-smi lists no GPU"
echo "$gpus"
"$nvcc" --version | tail -n 1
capability=$(sed -n '1s/^[^,]*,[^,]*, *\([0-9]*\)\..*/\1/p' <<<"$gpus")
if [ -n "$capability" ] && [ "$capability" -lt 8 ]; then
  missing "the first GPU has compute capability $capability; the kernels need 8.0"
fi

step "build (logs in $logs)"
mkdir -p "$logs"
export CUDACXX=$nvcc CUDA_DEVICE_ORDER=PCI_BUS_ID  # the first GPU is then the same to all
quietly configure.log cmake --preset release -B "$folder" -DLIL_CUDA=ON -DLIL_RECORD=OFF -DLIL_NVCC_FLAGS=-lineinfo ||
  { echo "The packages that the build needs are listed in tools/packages.sh." >&2; exit 1; }
quietly build.log cmake --build "$folder" --target kernels_cuda_test kernels_cuda_bench || exit 1
test_program=$folder/bin/kernels_cuda_test
bench_program=$folder/bin/kernels_cuda_bench

# well LOG STATUS: a run of tests that passed, ran tests, and skipped none for want of a device.
well() {
  [ "$2" -eq 0 ] && grep -q '^\[  PASSED  \] [1-9]' "$logs/$1" &&
    ! grep -q 'no CUDA device was found\|the device cuda is missing' "$logs/$1" && echo yes || echo no
}

step "tests"
status=0
logged test.log env LIL_CUDA_GUARDS=1 "$test_program" --gtest_brief=1 || status=$?
record "kernels_cuda_test" "$(well test.log "$status")"

sanitizer=$(program compute-sanitizer)
if [ -z "$sanitizer" ]; then
  summary+=("LEFT OUT compute-sanitizer is not installed")
else
  for tool in memcheck racecheck initcheck synccheck; do
    step "compute-sanitizer $tool"
    status=0
    tests='*Small*'
    [ "$tool" = memcheck ] && tests='*'
    logged "$tool.log" "$sanitizer" --tool "$tool" --error-exitcode 9 \
      "$test_program" --gtest_brief=1 "--gtest_filter=$tests" || status=$?
    record "compute-sanitizer $tool" "$(well "$tool.log" "$status")"
  done
fi

step "bandwidth of decode_attention"
status=0
logged bench.log "$bench_program" || status=$?
record "kernels_cuda_bench (its table: $logs/bench.log)" "$([ "$status" -eq 0 ] && echo yes || echo no)"

# recorded NAME OPTIONS…: the demo model's token streams, in $folder/NAME.txt.
recorded() {
  local name=$1
  shift
  rm -f "$folder/$name."*
  quietly "$name.log" build/cuda/bin/lil-record "$folder/$name.db" --model tools/demo_model/lil-demo-1m \
    --problems tools/demo_model/problems.jsonl --first 16 --max-tokens 600 --progress none \
    --policy full --policy 'sink(budget=192)' --policy 'h2o(budget=192)' --policy 'quest(budget=192)' "$@" &&
    sqlite3 "$folder/$name.db" 'SELECT v.policy, v.problem_id, b.block, hex(b.ids) FROM v_trace v
      JOIN trace t ON t.uid = v.uid JOIN trace_block b ON b.trace_id = t.id ORDER BY 1, 2, 3' >"$folder/$name.txt"
}
# same_streams NAME NAME: both have streams, and the same.
same_streams() {
  [ -s "$folder/$1.txt" ] && cmp "$folder/$1.txt" "$folder/$2.txt" >&2 && echo yes || echo no
}
recordings() {
  local status=0
  quietly record_build.log bash -c "cmake --preset cuda && cmake --build --preset cuda" || status=$?
  if [ "$status" -ne 0 ]; then
    record "build of the preset cuda" no
    return 0
  fi
  logged record_test.log build/cuda/bin/record_cuda_test --gtest_brief=1 || status=$?
  record "record_cuda_test" "$(well record_test.log "$status")"
  recorded cpu_fp32 --device cpu --dtype fp32 || true
  recorded cuda_fp32 --device cuda --dtype fp32 || true
  record "recordings in fp32: the GPU's streams are the CPU's" "$(same_streams cpu_fp32 cuda_fp32)"
  recorded cuda_alone --device cuda --dtype bf16 --batch 1 || true
  recorded cuda_batch --device cuda --dtype bf16 --batch 16 || true
  record "recordings in bf16: a batch has the streams of single sequences" "$(same_streams cuda_alone cuda_batch)"
}

step "recordings"
LIL_TORCH=$(find_cuda_torch)
if [ -z "$LIL_TORCH" ]; then
  summary+=("LEFT OUT recordings: no CUDA libtorch, which LIL_TORCH names or ./check --cuda installs")
else
  export LIL_TORCH
  echo "CUDA libtorch: $LIL_TORCH"
  recordings
fi

step "summary"
printf '%s\n' "${summary[@]}"
[ "$failed" = no ]
