#pragma once

#include <string>

namespace grpo {

// Python programs that judge a completion's program by tests in Python. Two processes, each in a sandbox of its own, talk over descriptor
// 3: the host runs the program and calls its functions when asked; the tester runs the tests, and what they name of the program stands for
// the host's. Between them go values of Python's plain types, as JSON. So the program sees arguments, never a test or an expected value;
// all it can do is answer with values, which the tester compares as its own; and it is in no position to say that a test has passed.

/// Runs solution.py of its working folder.
std::string host_program();

/// Reads its job as JSON on the standard input: {"setup": […], "tests": […], "check": NAME} with sources in Python, or {"function": NAME,
/// "calls": [[ARGUMENTS, EXPECTED], …]}. Writes a line of JSON: {"total": N}, and one for each test that is over: {"ok": true} or
/// {"ok": false, "why": TEXT}.
std::string tester_program();

}  // namespace grpo
