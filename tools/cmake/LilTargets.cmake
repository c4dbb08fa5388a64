# What every target of the project shares, and the three functions that make one.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(LIL_CCACHE ccache)
if(LIL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LIL_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(PkgConfig REQUIRED)

add_library(lil_options INTERFACE)
target_compile_options(lil_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                                             -Wconversion -Wno-sign-conversion
                                             -ffp-contract=off) # or bits depend on the compiler and the processor
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(lil_options INTERFACE -Wno-restrict) # wrong about std::string in g++ 12
endif()
if(LIL_WERROR)
  target_compile_options(lil_options INTERFACE -Werror)
endif()
if(LIL_SANITIZE)
  target_compile_options(lil_options INTERFACE -fsanitize=${LIL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(lil_options INTERFACE -fsanitize=${LIL_SANITIZE})
endif()

# lil_library(<name> SOURCES … [PUBLIC targets…] [PRIVATE targets…]): target lil_<name>, alias lil::<name>.
function(lil_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(lil_${name} STATIC ${ARG_SOURCES})
  add_library(lil::${name} ALIAS lil_${name})
  target_include_directories(lil_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(lil_${name} PUBLIC ${ARG_PUBLIC} PRIVATE lil_options fmt::fmt ${ARG_PRIVATE})
endfunction()

# lil_program(<name> SOURCES … LINK …): an executable in bin/.
function(lil_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lil_options fmt::fmt ${ARG_LINK})
endfunction()

# lil_test(<name> SOURCES … LINK …): a GoogleTest suite whose tests ctest lists one by one.
function(lil_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lil_options fmt::fmt GTest::gmock_main ${ARG_LINK})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST)
endfunction()
