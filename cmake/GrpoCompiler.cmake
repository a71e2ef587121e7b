# Language, warnings, sanitizers and the compiler cache: one place for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
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

add_library(grpo_options INTERFACE)
target_compile_options(grpo_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # clang's own warnings inform only
  target_compile_options(grpo_options INTERFACE -Werror)
endif()
if(GRPO_NATIVE)
  target_compile_options(grpo_options INTERFACE -march=native)
endif()
if(GRPO_SANITIZE)
  target_compile_options(grpo_options INTERFACE -fsanitize=${GRPO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -O1)
  target_compile_definitions(grpo_options INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(grpo_options INTERFACE -fsanitize=${GRPO_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # instrumented code makes it warn about initialised members of the standard library
    target_compile_options(grpo_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
