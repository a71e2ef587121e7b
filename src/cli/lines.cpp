#include "cli/lines.h"

#include <iostream>
#include <string>

#include "core/json.h"

namespace grpo::cli {

void map_lines(const std::function<nlohmann::ordered_json(const nlohmann::json&)>& answer) {
  std::string text;
  for (int64_t number = 1; std::getline(std::cin, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    nlohmann::json line;
    try {
      line = parse_json(text);
    } catch (const nlohmann::json::exception& error) {
      fail("stdin line " + std::to_string(number), std::string("expected a JSON object: ") + error.what());
    }
    GRPO_CHECK(line.is_object(), "stdin line " + std::to_string(number), "expected a JSON object");
    try {
      std::cout << to_printable_text(answer(line)) << "\n" << std::flush;
      if (!std::cout) fail("stdout", "expected a reader; it is gone");
    } catch (const Error& error) {
      throw Error("stdin line " + std::to_string(number) + ": " + error.what(), error.kind());
    }
  }
}

}  // namespace grpo::cli
