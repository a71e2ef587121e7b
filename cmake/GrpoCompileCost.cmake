# How a cold build is kept short, in one place: precompiled headers, and batches of sources that are compiled in one go.
# benchmarks/build_cost.sh measures both. A build without either (the preset `plain`) shows that every file includes what it uses.
option(GRPO_PCH "Use private precompiled headers" ON)
option(GRPO_BATCHES "Compile several sources of a target in one go: a quick cold build, while a change of one source compiles its batch again" OFF)

# grpo_batch(target [kilobytes]): its C++ sources in batches of about equal size, of at most that much source, in the order of their names.
# Files that share a batch share their unnamed namespace.
function(grpo_batch target)
  set(kilobytes 130)
  if(ARGC GREATER 1)
    set(kilobytes ${ARGV1})
  endif()
  if(NOT GRPO_BATCHES)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  set(total 0)
  foreach(source IN LISTS sources)
    file(SIZE "${source}" size)
    math(EXPR total "${total} + ${size}")
  endforeach()
  math(EXPR batches "(${total} + ${kilobytes} * 1000 - 1) / (${kilobytes} * 1000)")
  set(before 0)
  foreach(source IN LISTS sources)
    file(SIZE "${source}" size)
    math(EXPR batch "(${before} + ${size} / 2) * ${batches} / ${total}")
    math(EXPR before "${before} + ${size}")
    set_property(SOURCE "${source}" TARGET_DIRECTORY ${target} PROPERTY UNITY_GROUP "${batch}")
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# grpo_precompile(target kind): one precompiled header for all targets of a kind.
#   torch  ATen and JSON (15 s and 400 MB for each file otherwise): rooms with torch
#   plain  JSON and the standard library's containers: rooms without
#   test   ATen, JSON and GoogleTest, with the options of tests: test programs with torch
# A target uses it only with the very options that it was compiled with.
function(grpo_precompile target kind)
  if(NOT GRPO_PCH)
    return()
  endif()
  set(pch grpo_pch_${kind})
  if(NOT TARGET ${pch})
    file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/${pch}.cpp" CONTENT "")
    add_library(${pch} OBJECT "${PROJECT_BINARY_DIR}/${pch}.cpp")
    target_link_libraries(${pch} PRIVATE grpo_options nlohmann_json::nlohmann_json)
    if(NOT kind STREQUAL "plain")
      target_link_libraries(${pch} PRIVATE LibTorch::LibTorch OpenMP::OpenMP_CXX)
    endif()
    if(kind STREQUAL "test")
      target_link_libraries(${pch} PRIVATE GTest::gtest)
      grpo_test_options(${pch})
    endif()
    target_precompile_headers(${pch} PRIVATE "${PROJECT_SOURCE_DIR}/src/pch_${kind}.h")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${pch} PRIVATE -fpch-preprocess)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${pch})
  # an executable's -fPIE would not match the header's -fPIC
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # ccache asks for the one, and a header that does not match is to be seen
    target_compile_options(${target} PRIVATE -fpch-preprocess -Winvalid-pch)
  endif()
endfunction()
