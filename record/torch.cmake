# The target lil_torch: Debian's libtorch-dev, or the torch folder of a Python package named by LIL_TORCH.
set(LIL_TORCH "" CACHE PATH "A torch folder (…/site-packages/torch) to use in place of Debian's libtorch-dev")

add_library(lil_torch INTERFACE)
if(LIL_TORCH)
  # The folder itself, not its share/cmake: otherwise its headers get mixed with Debian's library.
  list(PREPEND CMAKE_PREFIX_PATH ${LIL_TORCH})
  # Left alone, torch asks nvcc for architectures that it no longer knows.
  if(NOT DEFINED TORCH_CUDA_ARCH_LIST)
    set(TORCH_CUDA_ARCH_LIST "8.0;9.0;10.0")
  endif()
  # Its libraries need those of the nvidia packages beside it, which the linker must not take from elsewhere.
  file(GLOB nvidia_folders ${LIL_TORCH}/../nvidia/*/lib)
  foreach(folder IN LISTS nvidia_folders)
    target_link_options(lil_torch INTERFACE -Wl,-rpath-link,${folder} -Wl,-rpath,${folder})
  endforeach()
endif()
find_package(Torch QUIET)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "libtorch is missing: install libtorch-dev and libopenblas0-pthread, name a torch folder "
                      "with -DLIL_TORCH=…, or leave recording out with -DLIL_RECORD=OFF")
endif()
target_link_libraries(lil_torch INTERFACE ${TORCH_LIBRARIES})
