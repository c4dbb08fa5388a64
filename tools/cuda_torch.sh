# Sourced by ./check and tools/gpu_check.sh: finds nvcc, and a libtorch with CUDA.

# nvcc_program: its path, from CUDACXX, PATH or the CUDA toolkit's usual place; empty where it is not.
nvcc_program() {
  local usual=/usr/local/cuda/bin/nvcc
  command -v "${CUDACXX:-nvcc}" || { [ -z "${CUDACXX:-}" ] && [ -x "$usual" ] && echo "$usual"; } || true
}

# torch_of PYTHON: the torch folder that it imports, where that has CUDA; else empty.
torch_of() {
  local folder code='import importlib.util as u, os; print(os.path.dirname(u.find_spec("torch").origin))'
  folder=$("$1" -c "$code" 2>/dev/null) || return 0
  [ -e "$folder/lib/libtorch_cuda.so" ] && echo "$folder" || true
}

# The virtual environment for a libtorch of our own, outside the checkout.
cuda_torch_environment=${XDG_CACHE_HOME:-$HOME/.cache}/lil/torch

# find_cuda_torch: its torch folder, from LIL_TORCH, python3, or an environment installed before; else empty.
find_cuda_torch() {
  if [ -n "${LIL_TORCH:-}" ]; then
    echo "$LIL_TORCH"
    return
  fi
  local folder
  folder=$(torch_of python3)
  if [ -z "$folder" ] && [ -e "$cuda_torch_environment/complete" ]; then
    folder=$(torch_of "$cuda_torch_environment/bin/python")
  fi
  echo "$folder"
}

# install_cuda_torch: with pip, from the index that the user's pip knows.
install_cuda_torch() {
  mkdir -p "$cuda_torch_environment" &&
    python3 -m venv "$cuda_torch_environment" &&
    "$cuda_torch_environment/bin/python" -m pip install --disable-pip-version-check --no-compile --no-cache-dir \
      --progress-bar off 'torch>=2.7,<3' &&
    [ -n "$(torch_of "$cuda_torch_environment/bin/python")" ] &&
    touch "$cuda_torch_environment/complete"
}
