# grpo_hash_library: xxHash (Debian: libxxhash-dev). Its header holds all that is used, so there is nothing to link.
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED libxxhash>=0.8.0)
add_library(grpo_hash_library INTERFACE)
target_include_directories(grpo_hash_library SYSTEM INTERFACE ${XXHASH_INCLUDE_DIRS})
