#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grpo/data/types.h"

namespace grpo {

/// How a problem's program is tested.
struct CodeTests {
  std::vector<std::pair<std::string, std::string>> pairs;  // standard input and the output that is expected
  std::string job;                                         // else the tester's job, see code_driver.h
};

/// The tests of a problem, from the column of that name or, if it is empty, from the first that there is of those which datasets use;
/// src/reward/README.md lists columns and forms. None if the problem has no tests. Throws `Error` if they have no known form.
std::optional<CodeTests> code_tests(const Problem& problem, const std::string& column);

/// Whether a program wrote what is expected: equal lines, white space at the ends of lines and empty lines at the end apart.
bool same_output(std::string_view written, std::string_view expected);

}  // namespace grpo
