#include "grpo/policy/evaluation.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/dist/communicator.h"
#include "policy/figure_tally.h"
#include "policy/gather.h"
#include "policy/sample_line.h"
#include "policy/sampling.h"

namespace grpo {
namespace {

constexpr std::string_view kEvaluation = "evaluation";

/// The answer, or the list of all right ones.
nlohmann::ordered_json answer_of(const Problem& problem) {
  if (problem.further_answers.empty()) return problem.answer;
  return problem.answers();
}

std::string line_of(const Group& group, size_t number, const std::vector<std::string>& functions) {
  const Sample& sample = group.samples[number];
  nlohmann::ordered_json line = {{"problem", group.problem->index},
                                 {"sample", number},
                                 {"prompt", group.prompt},
                                 {"completion", sample.text},
                                 {"answer", answer_of(*group.problem)},
                                 {"finish", to_string(sample.finish)},
                                 {"tokens", sample.ids.size()}};
  add_scores(line, functions, sample);
  return to_printable_text(line);
}

std::vector<const Problem*> pointers_to(const std::vector<Problem>& problems) {
  std::vector<const Problem*> all;
  for (const Problem& problem : problems) all.push_back(&problem);
  return all;
}

}  // namespace

struct Evaluation::Impl {
  Impl(const Policy& of, RolloutEngine& with, const std::vector<Problem>& asked, RewardSet& judges, EvaluationOptions&& how)
      : policy(of),
        engine(with),
        problems(asked),
        rewards(judges),
        options(std::move(how)),
        communicator(options.communicator ? options.communicator : single_process()),
        sampling(with_turn_end(policy, pointers_to(problems), options.prompt, options.sampling)),
        groups(begin_groups(policy, pointers_to(problems), {0, static_cast<int64_t>(problems.size())}, options.prompt, key())),
        tally(rewards.names),
        pool(static_cast<int64_t>(rewards.names.size())) {}

  RolloutKey key() const { return {options.seed, 0}; }
  /// The next groups of all ranks, with samples and scores.
  Experience sample_block();

  const Policy& policy;
  RolloutEngine& engine;
  const std::vector<Problem>& problems;
  RewardSet& rewards;
  EvaluationOptions options;
  std::shared_ptr<Communicator> communicator;
  SamplingParams sampling;  // with the end of a turn
  Experience groups;        // of all problems, so that one that comes again has a stream of its own; their samples live for a block
  size_t finished = 0;      // groups
  FigureTally tally;
  NearMisses misses;
  ThreadPool pool;
};

Experience Evaluation::Impl::sample_block() {
  const int64_t per_sample = sampling.num_generations, world = communicator->world_size();
  const int64_t most = world * std::max<int64_t>(1, (options.block_samples + per_sample - 1) / per_sample);
  const Share share = share_of(std::min(most, static_cast<int64_t>(groups.size() - finished)), *communicator);
  const auto next = groups.begin() + static_cast<std::ptrdiff_t>(finished);
  Experience mine(next + share.begin, next + share.end);
  RewardContext context;
  context.max_completion_length = sampling.max_completion_length;
  interruptible(*communicator, [&] {
    sample_groups(policy, engine, mine, sampling, key(), options.context);
    expect_uncancelled(mine);
    score(rewards, mine, context, &pool);
  });
  gather(*communicator, mine, problems);
  return mine;
}

Evaluation::Evaluation(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
                       EvaluationOptions options) {
  GRPO_CHECK(!problems.empty(), "evaluate", "expected at least one problem");
  GRPO_CHECK(!rewards.names.empty(), "evaluate", "expected at least one reward function");
  impl_ = std::make_unique<Impl>(policy, engine, problems, rewards, std::move(options));
}

Evaluation::~Evaluation() = default;

size_t Evaluation::take_earlier(const std::vector<std::string>& lines, const std::string& file) {
  Impl& e = *impl_;
  GRPO_CHECK(e.finished == 0, kEvaluation, "expected earlier samples before the first block; got them after it");
  const auto per_problem = static_cast<size_t>(e.sampling.num_generations);
  const size_t most = e.groups.size() * per_problem;
  GRPO_CHECK(lines.size() <= most, kEvaluation,
             file + ": expected at most " + std::to_string(most) + " samples; got " + std::to_string(lines.size()));
  size_t number = 0;
  try {
    while (e.finished < lines.size() / per_problem) {
      std::vector<Figures> group;
      for (size_t i = 0; i < per_problem; ++i, ++number)
        group.push_back(figures_in_line(lines[number], *e.groups[e.finished].problem, i, e.rewards.names));
      e.tally.add(group);
      ++e.finished;
    }
  } catch (const nlohmann::json::exception& error) {
    fail(kEvaluation, file + ":" + std::to_string(number + 1) + ": expected the line of a sample; got something else: " + error.what());
  } catch (const Error& error) {
    throw Error(file + ":" + std::to_string(number + 1) + ": " + error.what(), error.kind());
  }
  return number;
}

bool Evaluation::next() {
  Impl& e = *impl_;
  if (e.finished == e.groups.size()) return false;
  for (const Group& group : e.sample_block()) {
    std::vector<Figures> figures;
    for (size_t i = 0; i < group.samples.size(); ++i) {
      const Sample& sample = group.samples[i];
      figures.push_back(figures_of(sample));
      for (size_t f = 0; f < sample.scores.size(); ++f) e.misses.add(e.rewards.names[f], sample.scores[f], *group.problem, 0);
      if (e.options.on_sample) e.options.on_sample(line_of(group, i, e.rewards.names));
    }
    e.tally.add(figures);
    ++e.finished;
  }
  return true;
}

int64_t Evaluation::problems_finished() const { return static_cast<int64_t>(impl_->finished); }

Metrics Evaluation::figures() const { return impl_->tally.result(impl_->sampling.num_generations); }

std::vector<std::pair<std::string, KindCounts>> Evaluation::verdicts() const { return impl_->tally.verdicts(); }

const std::vector<NearMiss>& Evaluation::near_misses() const { return impl_->misses.nearest(); }

double pass_at_k(int64_t samples, int64_t correct, int64_t k) {
  GRPO_CHECK(k >= 1 && k <= samples && correct >= 0 && correct <= samples, "pass_at_k", "expected 1 <= k <= n and 0 <= c <= n");
  if (samples - correct < k) return 1.0;
  double none = 1.0;
  for (int64_t i = samples - correct + 1; i <= samples; ++i) none *= 1.0 - static_cast<double>(k) / static_cast<double>(i);
  return 1.0 - none;
}

Metrics evaluate(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
                 const EvaluationOptions& options) {
  Evaluation evaluation(policy, engine, problems, rewards, options);
  while (evaluation.next()) {
  }
  return evaluation.figures();
}

}  // namespace grpo
