# grpo_compression_libraries: zlib and zstd (Debian: zlib1g-dev libzstd-dev).
find_path(ZLIB_INCLUDE_DIR zlib.h REQUIRED)
find_library(ZLIB_LIBRARY z REQUIRED)
find_path(ZSTD_INCLUDE_DIR zstd.h REQUIRED)
find_library(ZSTD_LIBRARY zstd REQUIRED)
add_library(grpo_compression_libraries INTERFACE)
target_include_directories(grpo_compression_libraries SYSTEM INTERFACE "${ZLIB_INCLUDE_DIR}" "${ZSTD_INCLUDE_DIR}")
target_link_libraries(grpo_compression_libraries INTERFACE "${ZLIB_LIBRARY}" "${ZSTD_LIBRARY}")
