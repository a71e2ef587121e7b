#include "text/regex.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "grpo/core/error.h"

// Oracle: what Hugging Face's tokenizers 0.23 replaces or refuses (make_regex_cases.py wrote it down). A pattern may be refused here, by an
// error that names it, but what is taken must match alike, and what Hugging Face refuses must be refused.
namespace grpo::text {
namespace {

std::optional<std::string> replaced(const std::string& pattern, const std::string& text) {
  try {
    std::string out;
    size_t at = 0;
    for (const Span& span : Regex(pattern).find_all(text)) {
      out += text.substr(at, span.begin - at) + "<>";
      at = span.end;
    }
    return out + text.substr(at);
  } catch (const Error&) {
    return std::nullopt;
  }
}

TEST(RegexReference, MatchesAndRefusesAsHuggingFace) {
  std::ifstream file(GRPO_SOURCE_DIR "/tests/text/regex_cases.json");
  const nlohmann::json fixture = nlohmann::json::parse(file);
  size_t matched = 0;
  for (const auto& test_case : fixture["cases"]) {
    const std::string pattern = test_case["pattern"];
    for (size_t i = 0; i < fixture["texts"].size(); ++i) {
      const std::optional<std::string> found = replaced(pattern, fixture["texts"][i]);
      if (test_case.contains("refused")) {
        EXPECT_FALSE(found) << pattern << " is refused: " << test_case["refused"];
      } else if (found) {
        EXPECT_EQ(*found, test_case["replaced"][i].get<std::string>()) << pattern << " in " << fixture["texts"][i];
        ++matched;
      }
    }
  }
  EXPECT_GE(matched, 290u);  // few patterns of what Hugging Face takes are not supported
}

}  // namespace
}  // namespace grpo::text
