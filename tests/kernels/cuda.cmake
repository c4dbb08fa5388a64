# What nvcc makes possible: the kernels' tests on a GPU, and what can be said of the kernels without one. The scripts'
# own tests need no nvcc.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(nvcc_gate ${CMAKE_CURRENT_SOURCE_DIR}/nvcc_gate.py)
set(cuda_program_check ${CMAKE_CURRENT_SOURCE_DIR}/cuda_program_check.py)
add_test(NAME kernels.nvcc_gate_finds_what_is_forbidden COMMAND Python3::Interpreter ${nvcc_gate} --self-test)
add_test(NAME kernels.cuda_program_check_finds_what_is_forbidden
         COMMAND Python3::Interpreter ${cuda_program_check} --self-test)

if(NOT TARGET lil::kernels_cuda)
  return()
endif()

get_target_property(objects lil_kernels_cuda LIL_CUDA_OBJECTS)
get_target_property(nvcc_version lil_kernels_cuda LIL_NVCC_VERSION)
add_test(NAME kernels.nvcc_gate
         COMMAND Python3::Interpreter ${nvcc_gate} --readme ${PROJECT_SOURCE_DIR}/kernels/README.md
                 --nvcc ${nvcc_version} ${objects})

# The test bodies that run on every device, as kernels_test compiled them, with the GPU for device. One ctest, since
# each process would start CUDA anew.
list(TRANSFORM kernel_test_bodies REPLACE ".*/" "" OUTPUT_VARIABLE bodies)
list(JOIN bodies "|" bodies)
set(bodies "$<FILTER:$<TARGET_OBJECTS:kernel_test_objects>,INCLUDE,/(${bodies})[.]o$>")
add_executable(kernels_cuda_test cuda_device.cpp ${bodies})
target_link_libraries(kernels_cuda_test PRIVATE lil_options fmt::fmt GTest::gmock_main lil::kernels_cuda)
add_test(NAME kernels_cuda_test COMMAND kernels_cuda_test)
# Skipped where its last line is of a skipped test: a failed one would come after it.
set_tests_properties(kernels_cuda_test PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\] [^\n]*\n*$")
if(LIL_SANITIZE)
  # CUDA maps memory where AddressSanitizer keeps a gap, and its driver keeps some to the end.
  set_tests_properties(kernels_cuda_test PROPERTIES ENVIRONMENT ASAN_OPTIONS=protect_shadow_gap=0:detect_leaks=0)
endif()
add_test(NAME kernels.cuda_program COMMAND Python3::Interpreter ${cuda_program_check} $<TARGET_FILE:kernels_cuda_test>)

set_tests_properties(kernels.nvcc_gate kernels.cuda_program kernels_cuda_test PROPERTIES LABELS nvcc)

# Run by tools/gpu_check.sh: bin/kernels_cuda_bench
lil_program(kernels_cuda_bench SOURCES ${PROJECT_SOURCE_DIR}/tests/bench/kernels_cuda_bench.cpp LINK lil::kernels_cuda)
