#include "core/file_text.h"

#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "grpo/core/error.h"

namespace grpo {

void expect_exists(const std::filesystem::path& path, std::string_view where) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return;
  const bool absent = !error || error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  fail_usage(where, (absent ? std::string("no such file or folder") : error.message()) + ": " + path.string());
}

std::string file_text(const std::filesystem::path& path, std::string_view where) {
  std::ifstream in(path, std::ios::binary);
  const bool open = in.is_open() && !std::filesystem::is_directory(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  GRPO_CHECK(open && !in.bad(), where, "expected a readable file; got " + path.string());
  return text;
}

}  // namespace grpo
