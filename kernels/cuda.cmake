# The CUDA backend, where nvcc is: lil_kernels_cuda, alias lil::kernels_cuda, the *_cuda.cu of this folder.
#
# nvcc is called by commands of our own rather than as a CMake language: one run compiles a file for every
# architecture, what ptxas says of registers, spills and local memory stays in FILE.log beside the object for the
# gate (tests/kernels/nvcc_gate.py), and the flags don't depend on the build type, so that every preset hits the
# same entries of ccache. Device code has no sanitizers, nor has the host's half of these files.
set(LIL_CUDA AUTO CACHE STRING "Compile the CUDA kernels: AUTO (where nvcc is), ON, OFF")
set_property(CACHE LIL_CUDA PROPERTY STRINGS AUTO ON OFF)
set(LIL_NVCC_FLAGS "" CACHE STRING "More flags for nvcc, as -lineinfo")

# Says why there are no CUDA kernels, in a line; where they were asked for, that is an error.
macro(lil_no_cuda reason)
  if(LIL_CUDA STREQUAL "AUTO")
    message(STATUS "${reason}: the CUDA kernels were not compiled and their gate was left out")
    return()
  endif()
  message(FATAL_ERROR "LIL_CUDA=${LIL_CUDA}: ${reason}")
endmacro()

if(LIL_CUDA STREQUAL "OFF")
  message(STATUS "LIL_CUDA=OFF: the CUDA kernels were not compiled and their gate was left out")
  return()
endif()

if(NOT "$ENV{CUDACXX}" STREQUAL "")
  find_program(lil_cudacxx NAMES "$ENV{CUDACXX}" NO_CACHE)
  if(NOT lil_cudacxx)
    lil_no_cuda("CUDACXX=$ENV{CUDACXX} is not a program")
  endif()
  if(NOT lil_cudacxx STREQUAL "${CUDAToolkit_NVCC_EXECUTABLE}")
    set(CUDAToolkit_NVCC_EXECUTABLE ${lil_cudacxx} CACHE FILEPATH "nvcc" FORCE)
    unset(CUDA_CUDART CACHE) # of the nvcc before
  endif()
endif()
find_package(CUDAToolkit QUIET)
if(NOT EXISTS "${CUDAToolkit_NVCC_EXECUTABLE}")
  lil_no_cuda("nvcc was not found")
endif()
if(NOT CUDA_CUDART)
  lil_no_cuda("libcudart was not found beside ${CUDAToolkit_NVCC_EXECUTABLE}")
endif()

# Machine code for A100, H100, B200 and their kin; PTX for what comes later, and for simulators, which is why it
# stays uncompressed.
set(nvcc_flags
    -std=c++17 -O3 -DNDEBUG -ccbin ${CMAKE_CXX_COMPILER}
    -gencode arch=compute_80,code=[sm_80,compute_80]
    -gencode arch=compute_90,code=sm_90
    -gencode arch=compute_100,code=sm_100
    --no-compress -cudart shared
    -Werror all-warnings -Xptxas -v
    -Xcompiler=-fPIC,-Wall,-Wextra ${LIL_NVCC_FLAGS})

# One empty kernel tells whether this nvcc knows these architectures and this host compiler.
if(NOT LIL_NVCC_WORKS STREQUAL "${CUDAToolkit_NVCC_EXECUTABLE};${nvcc_flags}")
  set(probe ${CMAKE_CURRENT_BINARY_DIR}/nvcc_probe)
  file(WRITE ${probe}.cu "#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n__global__ void empty() {}\n")
  execute_process(COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} ${nvcc_flags} -c ${probe}.cu -o ${probe}.o
                  OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
  if(failed)
    string(REGEX MATCH "[^\n]+" first_line "${said}")
    lil_no_cuda("${CUDAToolkit_NVCC_EXECUTABLE} doesn't compile for sm_80, sm_90, sm_100 (${first_line})")
  endif()
  set(LIL_NVCC_WORKS "${CUDAToolkit_NVCC_EXECUTABLE};${nvcc_flags}" CACHE INTERNAL "")
endif()
message(STATUS "CUDA kernels: ${CUDAToolkit_NVCC_EXECUTABLE} ${CUDAToolkit_VERSION}")

file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/cuda)
file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_cuda.cu)
set(cuda_objects)
foreach(source IN LISTS cuda_sources)
  get_filename_component(name ${source} NAME_WE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/cuda/${name}.o)
  add_custom_command(
    OUTPUT ${object} ${object}.log
    COMMAND ${PROJECT_SOURCE_DIR}/tools/cmake/with_log.sh ${object}.log ${LIL_CCACHE}
            ${CUDAToolkit_NVCC_EXECUTABLE} ${nvcc_flags} -I${CMAKE_CURRENT_SOURCE_DIR}/simt -I${PROJECT_SOURCE_DIR}
            -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMENT "nvcc ${name}.cu for sm_80, sm_90, sm_100"
    VERBATIM)
  list(APPEND cuda_objects ${object})
endforeach()

add_library(lil_kernels_cuda STATIC ${cuda_objects})
add_library(lil::kernels_cuda ALIAS lil_kernels_cuda)
set_target_properties(lil_kernels_cuda PROPERTIES LINKER_LANGUAGE CXX LIL_CUDA_OBJECTS "${cuda_objects}"
                                                  LIL_NVCC_VERSION "${CUDAToolkit_VERSION}")
target_include_directories(lil_kernels_cuda SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(lil_kernels_cuda INTERFACE lil::kernels ${CUDA_CUDART})
