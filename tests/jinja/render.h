#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/text/chat_template.h"

namespace grpo::testing {

/// Renders `source` with `variables` (a JSON object) and no messages.
inline std::string render(const std::string& source, const std::string& variables = "{}") {
  ChatTemplate::Options options;
  options.variables_json = variables;
  return ChatTemplate(source).render_json("[]", "", options);
}

/// The message of the `Error` that parsing or rendering `source` gives; "" where it gives none.
inline std::string error_of(const std::string& source, const std::string& variables = "{}") {
  try {
    render(source, variables);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A template and what it must print.
struct Rendering {
  std::string source;
  std::string expected;
};

inline void expect_renderings(const std::vector<Rendering>& renderings, const std::string& variables = "{}") {
  for (const auto& [source, expected] : renderings) EXPECT_EQ(render(source, variables), expected) << source;
}

/// `source` must fail with a message that holds `part`.
inline void expect_error(const std::string& source, const std::string& part, const std::string& variables = "{}") {
  const std::string message = error_of(source, variables);
  EXPECT_NE(message.find(part), std::string::npos) << source << "\n gave: " << message;
}

}  // namespace grpo::testing
