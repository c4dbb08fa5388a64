# The CUDA backend: filled in where nvcc is found.
