#include "core/file_text.h"

#include <fstream>
#include <iterator>

#include "grpo/core/error.h"

namespace grpo {

std::string file_text(const std::filesystem::path& path, std::string_view where) {
  std::ifstream in(path, std::ios::binary);
  const bool open = in.is_open() && !std::filesystem::is_directory(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  GRPO_CHECK(open && !in.bad(), where, "expected a readable file; got " + path.string());
  return text;
}

}  // namespace grpo
