# Language, warnings, sanitizers and the compiler cache: one place for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# Nothing leaves a library but what a public header declares (include/grpo/api.h).
if(GRPO_HIDE)
  set(CMAKE_CXX_VISIBILITY_PRESET hidden)
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

find_program(GRPO_CCACHE ccache)
if(GRPO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # time macros and PCH: ccache keeps hitting when the precompiled header is rebuilt with equal content
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${GRPO_CCACHE})
endif()

if(GRPO_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
  add_compile_options(-fsanitize=${GRPO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${GRPO_SANITIZE})
endif()

add_library(grpo_options INTERFACE)
# Products and sums are fused where the source says so and nowhere else: results are the source's, not the compiler's.
target_compile_options(grpo_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
target_compile_options(grpo_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # g++ 12 to 14 suspect every std::optional that is moved, 12 sums of texts; clang and the sanitizers look for real ones
  target_compile_options(grpo_options INTERFACE -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow)
endif()
if(GRPO_WERROR)
  target_compile_options(grpo_options INTERFACE -Werror)
endif()
if(GRPO_NATIVE)
  target_compile_options(grpo_options INTERFACE -march=native)
endif()
