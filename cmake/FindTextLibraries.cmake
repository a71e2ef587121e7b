# grpo_text_libraries: PCRE2, utf8proc and sentencepiece (Debian: libpcre2-dev libutf8proc-dev libsentencepiece-dev).
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
add_library(grpo_text_libraries INTERFACE)
target_link_libraries(grpo_text_libraries INTERFACE PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::SENTENCEPIECE)
