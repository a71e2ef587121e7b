#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "jinja/render.h"

// Oracle: what Jinja2 3.1.6 renders or refuses in the sandbox that chat templates run in (make_jinja2_cases.py wrote it down).
namespace grpo::testing {
namespace {

TEST(JinjaReference, RendersAndRefusesAsJinja2) {
  std::ifstream file(GRPO_SOURCE_DIR "/tests/jinja/jinja2_cases.json");
  const nlohmann::ordered_json fixture = nlohmann::ordered_json::parse(file);
  const std::string variables = fixture["variables"].dump();
  size_t compared = 0;
  for (const auto& test_case : fixture["cases"]) {
    const std::string source = test_case["source"];
    if (test_case.contains("renders")) {
      const std::string error = error_of(source, variables);
      EXPECT_EQ(error, "") << source;
      EXPECT_EQ(error.empty() ? render(source, variables) : "", test_case["renders"].get<std::string>()) << source;
    } else {
      EXPECT_NE(error_of(source, variables), "") << source << "\n Jinja2: " << test_case["refused"];
    }
    ++compared;
  }
  EXPECT_GE(compared, 60u);
}

}  // namespace
}  // namespace grpo::testing
