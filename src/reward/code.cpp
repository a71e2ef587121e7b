#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/core/threads.h"
#include "grpo/data/strings.h"
#include "grpo/sandbox/sandbox.h"
#include "reward/builtin.h"
#include "reward/code_block.h"
#include "reward/code_driver.h"
#include "reward/code_tests.h"
#include "reward/tags.h"
#include "sandbox/descriptor.h"

namespace grpo {
namespace {

struct CodeOptions {
  bool allow_code_execution = false;
  SandboxKind sandbox = SandboxKind::kBubblewrap;
  std::string column;
  bool partial = false;
  double timeout = 10.0;
  int64_t memory_mib = 512;
  int64_t output_kib = 1024;
  int64_t processes = 16;
  std::string python = "python3";
  std::vector<std::string> readable;
  int64_t children = 0;
};

void describe(ConfigVisitor& v, CodeOptions& o) {
  v.field("allow_code_execution", o.allow_code_execution, "run the programs that a model writes, in a sandbox on this machine");
  v.enumeration(
      "sandbox", o.sandbox, {"bubblewrap", "rlimits"},
      "what keeps programs from the machine: namespaces by bubblewrap, or limits alone (src/sandbox/README.md says what these miss)");
  v.field("column", o.column, "where a problem's tests stand; empty = the first that there is of those which datasets use");
  v.field("partial", o.partial, "score the share of passed tests, not 1 only where all have passed");
  v.field("timeout", o.timeout, "seconds for a program on one input, or for all tests in Python together",
          {.min = 0.0, .max = 1e6, .open_min = true});
  v.field("memory_mib", o.memory_mib, "MiB of address space of each process", {.min = 1.0, .max = 1e7});
  v.field("output_kib", o.output_kib, "KiB that a program may write; more fails its test", {.min = 1.0, .max = 1e6});
  v.field("processes", o.processes, "processes and threads that a program may have", {.min = 1.0, .max = 1e5});
  v.field("python", o.python, "the interpreter: a name in /usr/bin, or a path below /usr or a readable folder");
  v.field("readable", o.readable, "folders outside /usr that programs may read");
  v.field("children", o.children, "programs at a time; 0 = as many as the hardware runs", {.min = 0.0, .max = 1024.0});
}

using Clock = std::chrono::steady_clock;

/// How many tests a program has passed.
struct Passed {
  size_t passed = 0, total = 0;
  bool failed = false;  // the tests did not come to their end
  std::string why;      // of the first that it has not
};

std::string_view last_line(std::string_view text) {
  text = trim(text);
  const size_t end = text.rfind('\n');
  return end == std::string_view::npos ? text : text.substr(end + 1);
}

class CodeReward final : public Reward {
 public:
  explicit CodeReward(CodeOptions options)
      : options_(std::move(options)), sandbox_(options_.sandbox, options_.readable), pool_(options_.children) {
    const SandboxResult result =
        sandbox_.run({.arguments = {options_.python, "-c", "import ast, ctypes, fractions, json, socket"}}, limits());
    GRPO_CHECK(result.end == SandboxEnd::kExited && result.status == 0, "reward code",
               "expected the interpreter " + options_.python + " to work in the sandbox; got " + to_text(result) + " " +
                   clip_text(trim(result.err), 300));
  }

  std::string unreadable(const Problem& problem) const override {
    try {
      return code_tests(problem, options_.column) ? "" : "the problem has no tests";
    } catch (const Error& error) {
      return error.what();
    }
  }

  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override {
    std::vector<std::optional<CodeTests>> tests;
    for (const Completion& completion : batch) tests.push_back(code_tests(*completion.problem, options_.column));
    pool_.parallel_for(static_cast<int64_t>(batch.size()), [&](int64_t index) {
      const auto i = static_cast<size_t>(index);
      scores[i] = judge(batch[i], tests[i], context.deadline);
    });
  }

 private:
  SandboxLimits limits() const {
    return {.timeout = options_.timeout,
            .memory = options_.memory_mib << 20,
            .output = options_.output_kib << 10,
            .processes = options_.processes};
  }

  Score judge(const Completion& completion, const std::optional<CodeTests>& tests, Clock::time_point deadline) const {
    if (!tests) return Score::undefined("the problem has no tests", kUnreadableGold);
    const auto program = last_code_block(outside_thought(completion));
    if (!program) return {0.0, "no whole ```python block after the thought", "no program"};
    const std::optional<Passed> result =
        tests->job.empty() ? run_pairs(*program, tests->pairs, deadline) : run_job(*program, tests->job, deadline);
    if (!result) return Score::undefined("no time was left to run the program", "no time left");
    if (result->total == 0) return Score::undefined("the problem has no tests", kUnreadableGold);
    const bool all = result->passed == result->total && !result->failed;
    const std::string reason = "passed " + std::to_string(result->passed) + " of " + std::to_string(result->total) + " tests" +
                               (all ? "" : "; the first other: " + clip_text(result->why, 300));
    if (all) return {1.0, reason, kRight};
    const std::string kind = result->passed > 0 ? "some tests passed" : "no test passed";
    return {options_.partial ? static_cast<double>(result->passed) / static_cast<double>(result->total) : 0.0, reason, kind};
  }

  /// None where the deadline came before the time that a program should have.
  std::optional<std::vector<SandboxResult>> run(std::span<const SandboxCommand> commands, Clock::time_point deadline) const {
    SandboxLimits given = limits();
    if (deadline != Clock::time_point::max())
      given.timeout = std::min(given.timeout, std::chrono::duration<double>(deadline - Clock::now()).count());
    if (given.timeout <= 0) return std::nullopt;
    std::vector<SandboxResult> results = sandbox_.run(commands, given);
    if (results[0].end == SandboxEnd::kTimeout && given.timeout < options_.timeout) return std::nullopt;
    return results;
  }

  std::optional<Passed> run_pairs(const std::string& program, const std::vector<std::pair<std::string, std::string>>& pairs,
                                  Clock::time_point deadline) const;
  std::optional<Passed> run_job(const std::string& program, const std::string& job, Clock::time_point deadline) const;

  CodeOptions options_;
  Sandbox sandbox_;
  ThreadPool pool_;
};

std::optional<Passed> CodeReward::run_pairs(const std::string& program, const std::vector<std::pair<std::string, std::string>>& pairs,
                                            Clock::time_point deadline) const {
  Passed result;
  result.total = pairs.size();
  SandboxCommand command{.arguments = {options_.python, "solution.py"}, .input = {}, .files = {{"solution.py", program}}};
  for (const auto& [input, output] : pairs) {
    command.input = input;
    const auto ran = run({&command, 1}, deadline);
    if (!ran) return std::nullopt;
    const SandboxResult& one = ran->front();
    const bool ended = one.end == SandboxEnd::kExited && one.status == 0;
    if (ended && same_output(one.out, output)) {
      ++result.passed;
      continue;
    }
    if (result.why.empty()) {
      result.why = ended ? "expected '" + clip_text(trim(output), 80) + "'; got '" + clip_text(trim(one.out), 80) + "'"
                         : to_text(one) + " " + std::string(last_line(one.err));
    }
    if (!options_.partial) break;
  }
  return result;
}

std::optional<Passed> CodeReward::run_job(const std::string& program, const std::string& job, Clock::time_point deadline) const {
  auto [tester_end, host_end] = make_socket_pair();
  const std::vector<SandboxCommand> commands{{.arguments = {options_.python, "tester.py"},
                                              .input = job,
                                              .files = {{"tester.py", tester_program()}},
                                              .descriptors = {tester_end.release()}},
                                             {.arguments = {options_.python, "host.py"},
                                              .files = {{"host.py", host_program()}, {"solution.py", program}},
                                              .descriptors = {host_end.release()}}};
  const auto ran = run(commands, deadline);
  if (!ran) return std::nullopt;
  const SandboxResult& tester = ran->front();
  Passed result;
  size_t failures = 0;  // of what is between the tests too
  std::istringstream lines(tester.out);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json said = try_parse_json(line);
    if (!said.is_object()) continue;  // cut off
    if (said.contains("total")) result.total = said["total"];
    if (!said.contains("ok")) continue;
    result.passed += said["ok"] ? 1U : 0U;
    if (said["ok"]) continue;
    ++failures;
    if (result.why.empty()) result.why = said.value("why", "");
  }
  const bool ended = tester.end == SandboxEnd::kExited && tester.status == 0;
  if (result.total == 0 && !ended)
    fail("code", "expected tests in Python; got " + to_text(tester) + " " + std::string(last_line(tester.err)));
  if (result.total > 0) result.total = std::max(result.total, result.passed + failures);
  result.failed = !ended;
  if (result.why.empty() && !ended) result.why = to_text(tester);
  return result;
}

}  // namespace

std::unique_ptr<Reward> make_code_reward(const RewardOptions& given) {
  auto options = read_options<CodeOptions>("code", given);
  if (!options.allow_code_execution)
    fail_usage("code",
               "expected allow_code_execution: true in its options, since it runs programs that a model writes on this machine; got false");
  if (options.sandbox == SandboxKind::kRlimits)
    log_warn(
        "reward code: sandbox is «rlimits», so programs that a model writes can read files, connect and send signals as this user may");
  try {
    return std::make_unique<CodeReward>(options);
  } catch (const Error& error) {
    if (options.sandbox == SandboxKind::kRlimits) throw;
    fail("code", std::string(error.what()) + "; sandbox = \"rlimits\" does with less, src/sandbox/README.md says what that does not hold");
  }
}

}  // namespace grpo
