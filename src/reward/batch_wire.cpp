#include "reward/batch_wire.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "grpo/core/error.h"
#include "sandbox/wire.h"

namespace grpo {
namespace {

constexpr int kVerdicts = 0, kFault = 1;
constexpr int64_t kMostTimes = int64_t{1} << 32;  // of a metric in a batch

void put_all(WireWriter& w, const auto& texts) {
  w.put(texts.size());
  for (const std::string& text : texts) w.put(text);
}

void put_problem(WireWriter& w, const Problem& problem) {
  w.put(problem.index);
  w.put(problem.question);
  w.put(problem.messages.size());
  for (const Message& message : problem.messages) {
    w.put(message.role);
    w.put(message.content);
    w.put(message.members);
  }
  w.put(problem.answer);
  w.put(problem.solution);
  w.put(problem.fields.size());
  for (const auto& [name, value] : problem.fields) {
    w.put(name);
    w.put(value);
  }
  put_all(w, problem.json_fields);
  w.put(problem.tools);
  w.put(problem.chat_template_kwargs);
  put_all(w, problem.further_answers);
}

Problem read_problem(WireReader& r) {
  Problem problem;
  problem.index = r.integer();
  problem.question = r.text();
  problem.messages.resize(r.count());
  for (Message& message : problem.messages) {
    message.role = r.text();
    message.content = r.text();
    message.members = r.text();
  }
  problem.answer = r.text();
  problem.solution = r.text();
  for (size_t left = r.count(); left > 0; --left) {
    std::string name = r.text();
    problem.fields[std::move(name)] = r.text();
  }
  for (size_t left = r.count(); left > 0; --left) problem.json_fields.insert(r.text());
  problem.tools = r.text();
  problem.chat_template_kwargs = r.text();
  for (size_t left = r.count(); left > 0; --left) problem.further_answers.push_back(r.text());
  return problem;
}

FinishReason read_finish(WireReader& r) {
  const int64_t value = r.integer();
  GRPO_CHECK(value >= 0 && value <= static_cast<int64_t>(FinishReason::kCancelled), "reward",
             "expected the reason of an end; got " + std::to_string(value));
  return static_cast<FinishReason>(value);
}

}  // namespace

std::string batch_bytes(std::span<const Completion> batch, const RewardContext& context, bool asks_unreadable) {
  WireWriter w;
  w.put(asks_unreadable ? 1 : 0);
  w.put(context.step);
  w.put(context.max_completion_length);
  w.put(context.deadline.time_since_epoch().count());  // one clock for all processes of a machine
  std::map<const Problem*, size_t> numbers;
  std::vector<const Problem*> problems;
  for (const Completion& completion : batch) {
    if (numbers.emplace(completion.problem, problems.size()).second) problems.push_back(completion.problem);
  }
  w.put(problems.size());
  for (const Problem* problem : problems) put_problem(w, *problem);
  w.put(batch.size());
  for (const Completion& completion : batch) {
    w.put(numbers[completion.problem]);
    w.put(completion.prompt);
    w.put(completion.text);
    w.put(completion.ids.size());
    for (const int32_t id : completion.ids) w.put(id);
    w.put(static_cast<int>(completion.finish));
    w.put(completion.sample);
  }
  return w.bytes();
}

BatchMessage read_batch(std::string_view bytes) {
  WireReader r(bytes);
  BatchMessage message;
  message.asks_unreadable = r.integer() == 1;
  message.context.step = r.integer();
  message.context.max_completion_length = r.integer();
  message.context.deadline = std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(r.integer()));
  for (size_t left = r.count(); left > 0; --left) message.problems.push_back(read_problem(r));
  for (size_t left = r.count(); left > 0; --left) {
    Completion& completion = message.completions.emplace_back();
    const auto problem = static_cast<size_t>(r.integer());
    GRPO_CHECK(problem < message.problems.size(), "reward", "expected the number of a problem; got " + std::to_string(problem));
    completion.problem = &message.problems[problem];
    completion.prompt = r.text();
    completion.text = r.text();
    completion.ids.resize(r.count());
    for (int32_t& id : completion.ids) id = static_cast<int32_t>(r.integer());
    completion.finish = read_finish(r);
    completion.sample = r.integer();
  }
  r.expect_end();
  return message;
}

std::string verdict_bytes(std::span<const Score> scores, const RewardContext& context) {
  WireWriter w;
  w.put(kVerdicts);
  w.put(scores.size());
  for (const Score& score : scores) {
    w.put(score.value);
    w.put(score.reason);
    w.put(score.kind);
    w.put(score.gold);
    w.put(score.given);
    w.put(score.steps.size());
    for (const StepScore& step : score.steps) {
      w.put(step.end);
      w.put(step.value);
    }
  }
  w.put(context.metrics.size());
  for (const auto& [name, entry] : context.metrics) {
    w.put(name);
    w.put(entry.first);
    w.put(entry.second);
  }
  return w.bytes();
}

std::string fault_bytes(std::string_view message, ErrorKind kind) {
  WireWriter w;
  w.put(kFault);
  w.put(static_cast<int>(kind));
  w.put(message);
  return w.bytes();
}

void read_verdicts(std::string_view bytes, std::span<Score> scores, RewardContext& context) {
  WireReader r(bytes);
  if (r.integer() == kFault) {
    const int64_t kind = r.integer();
    throw Error(r.text(), kind == static_cast<int64_t>(ErrorKind::kUsage) ? ErrorKind::kUsage : ErrorKind::kFailure);
  }
  const size_t count = r.count();
  GRPO_CHECK(count == scores.size(), "reward", "expected " + std::to_string(scores.size()) + " verdicts; got " + std::to_string(count));
  for (Score& score : scores) {
    score.value = r.real();
    score.reason = r.text();
    score.kind = r.text();
    score.gold = r.text();
    score.given = r.text();
    score.steps.resize(r.count());
    for (StepScore& step : score.steps) {
      step.end = static_cast<size_t>(r.integer());
      step.value = r.real();
    }
  }
  for (size_t left = r.count(); left > 0; --left) {
    const std::string name = r.text();
    const double sum = r.real();
    const int64_t times = r.integer();
    GRPO_CHECK(times >= 0 && times <= kMostTimes, "reward", "expected how often a metric was logged; got " + std::to_string(times));
    auto& entry = context.metrics[name];
    entry.first += sum;
    entry.second += times;
  }
  r.expect_end();
}

}  // namespace grpo
