# GRPO_FETCH=ON: the small libraries from their sources, each pinned by commit, where the system has no packages of them. They are built
# with the project and installed with nothing. Behind a mirror, or without a network, FETCHCONTENT_SOURCE_DIR_<NAME> names a checkout.
include(FetchContent)

set(BUILD_SHARED_LIBS OFF)
set(JSON_BuildTests OFF CACHE INTERNAL "")
set(CLI11_BUILD_TESTS OFF CACHE INTERNAL "")
set(CLI11_BUILD_EXAMPLES OFF CACHE INTERNAL "")
set(PCRE2_BUILD_TESTS OFF CACHE INTERNAL "")
set(PCRE2_BUILD_PCRE2GREP OFF CACHE INTERNAL "")
set(PCRE2_SUPPORT_UNICODE ON CACHE INTERNAL "")
set(PCRE2_SUPPORT_JIT ON CACHE INTERNAL "")
set(SPM_ENABLE_SHARED OFF CACHE INTERNAL "")
foreach(part IN ITEMS INSTALL USE_OPENSSL_IF_AVAILABLE USE_ZLIB_IF_AVAILABLE USE_BROTLI_IF_AVAILABLE)
  set(HTTPLIB_${part} OFF CACHE INTERNAL "")
endforeach()

# _grpo_fetch(name repository commit): makes its targets available.
macro(_grpo_fetch name repository commit)
  FetchContent_Declare(${name} GIT_REPOSITORY https://github.com/${repository} GIT_TAG ${commit})
  list(APPEND _grpo_fetched ${name})
endmacro()
_grpo_fetch(nlohmann_json nlohmann/json 9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03)      # 3.11.3
_grpo_fetch(spdlog gabime/spdlog 7c02e204c92545f869e2f04edaab1f19fe8b19fd)            # 1.13.0
_grpo_fetch(cli11 CLIUtils/CLI11 6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9)            # 2.4.2
_grpo_fetch(pcre2 PCRE2Project/pcre2 b2bd4254b379b9d7dc9a3dda060a7e27009ccdff)        # 10.46
_grpo_fetch(utf8proc JuliaStrings/utf8proc 34db3f7954e9298e89f42641ac78e0450f80a70d)  # 2.9.0, Unicode 15.1
_grpo_fetch(sentencepiece google/sentencepiece 17d7580d6407802f85855d2cc9190634e2c95624)  # 0.2.0
_grpo_fetch(xxhash Cyan4973/xxHash bbb27a5efb85b92a0486cf361a8635715a53f6ba)          # 0.8.2; its header alone is used
_grpo_fetch(httplib yhirose/cpp-httplib 5814e121dfb5049f72a5c3956c3c8961b40da78b)     # 0.18.7; its header alone

enable_language(C)
FetchContent_MakeAvailable(${_grpo_fetched})

add_library(grpo_text_libraries INTERFACE)
target_link_libraries(grpo_text_libraries INTERFACE pcre2-8-static utf8proc sentencepiece-static)
target_include_directories(grpo_text_libraries SYSTEM INTERFACE "${sentencepiece_SOURCE_DIR}/src" "${pcre2_BINARY_DIR}" "${utf8proc_SOURCE_DIR}")
add_library(grpo_hash_library INTERFACE)
target_include_directories(grpo_hash_library SYSTEM INTERFACE "${xxhash_SOURCE_DIR}")
add_library(grpo_http_library INTERFACE)
target_link_libraries(grpo_http_library INTERFACE httplib::httplib)
