# The target lil_torch, where a libtorch is found: the torch folder that LIL_TORCH names, else Debian's libtorch-dev.
# LIL_RECORD_CUDA asks for one with CUDA: named by LIL_TORCH in the environment or here, or what python3 imports.
set(lil_torch_help "A torch folder (…/site-packages/torch) to use in place of Debian's libtorch-dev")
set(LIL_TORCH "" CACHE PATH ${lil_torch_help})
option(LIL_RECORD_CUDA "Record on GPUs too: needs nvcc and a CUDA libtorch" OFF)

# The folder to use, empty for Debian's libtorch-dev.
function(lil_torch_folder result)
  set(folder "${LIL_TORCH}")
  if(LIL_RECORD_CUDA AND NOT "$ENV{LIL_TORCH}" STREQUAL "")
    set(folder "$ENV{LIL_TORCH}")
  endif()
  if(LIL_RECORD_CUDA AND NOT folder)
    execute_process(
      COMMAND python3 -c "import importlib.util as u, os; print(os.path.dirname(u.find_spec('torch').origin))"
      OUTPUT_VARIABLE folder ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  if(LIL_RECORD_CUDA AND NOT folder)
    message(FATAL_ERROR "a CUDA libtorch is missing: name its torch folder with LIL_TORCH, or install torch for python3")
  endif()
  if(folder)
    get_filename_component(folder "${folder}" REALPATH)
    if(NOT EXISTS "${folder}/lib/libtorch.so" OR NOT EXISTS "${folder}/include/ATen/ATen.h")
      message(FATAL_ERROR "${folder} is no torch folder: it has no lib/libtorch.so or no include/ATen/ATen.h")
    endif()
    if(LIL_RECORD_CUDA AND NOT EXISTS "${folder}/lib/libtorch_cuda.so")
      message(FATAL_ERROR "the libtorch in ${folder} has no CUDA: there is no lib/libtorch_cuda.so")
    endif()
  endif()
  set(LIL_TORCH "${folder}" CACHE PATH ${lil_torch_help} FORCE) # so that configuring again finds the same
  set(${result} "${folder}" PARENT_SCOPE)
endfunction()

# Links the libraries of a torch folder themselves. Its CMake files would look for a CUDA toolkit of their own, ask
# nvcc for architectures that it no longer knows, and can mix the folder's headers with Debian's library.
function(lil_link_torch_folder folder)
  target_include_directories(lil_torch SYSTEM INTERFACE ${folder}/include)
  # Beside it lie the nvidia packages that its libraries need, which must not be taken from elsewhere, neither by the
  # linker nor when a program starts.
  file(GLOB nvidia_folders ${folder}/../nvidia/*/lib)
  foreach(libraries IN LISTS nvidia_folders ITEMS ${folder}/lib)
    target_link_options(lil_torch INTERFACE -Wl,-rpath-link,${libraries} -Wl,-rpath,${libraries})
  endforeach()
  foreach(name IN ITEMS torch torch_cpu torch_cuda c10 c10_cuda)
    if(EXISTS ${folder}/lib/lib${name}.so)
      # Devices register themselves when their library is loaded: it is needed even if nothing in it is called.
      target_link_libraries(lil_torch
        INTERFACE -Wl,--push-state,--no-as-needed,${folder}/lib/lib${name}.so,--pop-state)
    endif()
  endforeach()
endfunction()

lil_torch_folder(lil_torch_folder)
if(lil_torch_folder)
  message(STATUS "libtorch: ${lil_torch_folder}")
  add_library(lil_torch INTERFACE)
  lil_link_torch_folder(${lil_torch_folder})
else()
  find_package(Torch QUIET GLOBAL)
  if(Torch_FOUND)
    add_library(lil_torch INTERFACE)
    target_link_libraries(lil_torch INTERFACE ${TORCH_LIBRARIES})
  else()
    message(STATUS "libtorch was not found: its part of the recorder and the tests of that were left out")
  endif()
endif()
