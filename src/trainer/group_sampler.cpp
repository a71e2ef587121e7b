#include "trainer/group_sampler.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "trainer/exchange.h"

namespace grpo {
namespace {

using nlohmann::json;

bool paused(const Rollout& rollout) { return rollout.finish == FinishReason::kPaused; }

FinishReason finish_named(const std::string& name) {
  for (const auto reason : {FinishReason::kStop, FinishReason::kStopString, FinishReason::kLength, FinishReason::kPaused}) {
    if (to_string(reason) == name) return reason;
  }
  fail("checkpoint", "expected stop, stop_string, length or paused; got " + name);
}

json to_json(const SampleGroup& group) {
  json samples = json::array();
  for (const Rollout& r : group.rollouts) {
    samples.push_back({{"problem", r.problem},
                       {"finish", to_string(r.finish)},
                       {"policy_version", r.policy_version},
                       {"ids", r.ids},
                       {"logprobs", r.logprobs},
                       {"processed_logprobs", r.processed_logprobs}});
  }
  return {{"item", group.item},
          {"seed", group.key.seed},
          {"step", group.key.step},
          {"prompt_ids", group.rollouts.front().prompt_ids},
          {"samples", std::move(samples)}};
}

SampleGroup from_json(const json& saved) {
  SampleGroup group{.item = saved.at("item"), .key = {.seed = saved.at("seed"), .step = saved.at("step")}, .rollouts = {}};
  for (const json& sample : saved.at("samples")) {
    Rollout& r = group.rollouts.emplace_back();
    r.problem = sample.at("problem");
    r.sample = static_cast<int64_t>(group.rollouts.size()) - 1;
    r.prompt_ids = saved.at("prompt_ids").get<std::vector<int32_t>>();
    r.finish = finish_named(sample.at("finish"));
    r.policy_version = sample.at("policy_version");
    sample.at("ids").get_to(r.ids);
    sample.at("logprobs").get_to(r.logprobs);
    sample.at("processed_logprobs").get_to(r.processed_logprobs);
  }
  return group;
}

}  // namespace

double count_tokens(const std::vector<Rollout>& rollouts) {
  return std::accumulate(rollouts.begin(), rollouts.end(), 0.0,
                         [](double sum, const Rollout& r) { return sum + static_cast<double>(r.ids.size()); });
}

GroupSampler::GroupSampler(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, const Config& config,
                           Communicator& communicator)
    : policy_(policy), engine_(engine), problems_(problems), config_(config), communicator_(communicator) {}

std::vector<SampleGroup> GroupSampler::sample(const std::vector<int64_t>& items, const RolloutKey& key, double temperature,
                                              int64_t version) {
  SamplingParams params = config_.rollout.sampling;
  params.temperature = temperature;
  const bool pauses = config_.rollout.partial_rollout_length > 0 || !waiting_.empty();
  for (const int64_t item : items) waiting_.push_back({.item = item, .key = key, .rollouts = {}});
  std::vector<SampleGroup> finished;
  while (finished.empty() && !waiting_.empty()) {
    std::vector<Rollout> rollouts = advance(params, key, version);
    if (pauses) gather(communicator_, rollouts);
    put_back(std::move(rollouts));
    finished = take_finished(!pauses);
  }
  for (const SampleGroup& group : finished) note_lengths(group);
  return finished;
}

GroupSampler::Asked GroupSampler::paused_samples() const {
  Asked asked;
  for (int64_t g = 0; g < waiting(); ++g) {
    const SampleGroup& group = waiting_[static_cast<size_t>(g)];
    for (const Rollout& rollout : group.rollouts) {
      if (paused(rollout)) asked.emplace_back(g, resumed(rollout, group.key));
    }
  }
  return asked;
}

GroupSampler::Asked GroupSampler::new_groups() const {
  std::vector<int64_t> numbers;
  std::vector<const Problem*> problems;
  for (int64_t g = 0; g < waiting(); ++g) {
    const SampleGroup& group = waiting_[static_cast<size_t>(g)];
    if (!group.rollouts.empty()) continue;
    numbers.push_back(g);
    problems.push_back(&problems_[static_cast<size_t>(group.item)]);
  }
  auto prompts = prompts_of(policy_, problems, {0, static_cast<int64_t>(problems.size())}, config_.data.prompt);
  Asked asked;
  for (size_t i = 0; i < prompts.size(); ++i) asked.emplace_back(numbers[i], std::move(prompts[i]));
  return asked;
}

/// One call of the engine for this rank's share of either kind. A rollout's group is then its place among those that wait.
std::vector<Rollout> GroupSampler::advance(const SamplingParams& params, const RolloutKey& key, int64_t version) {
  std::vector<Prompt> prompts;
  std::vector<int64_t> groups;  // of each prompt
  const auto take_share = [&](Asked asked) {
    const Share share = share_of(static_cast<int64_t>(asked.size()), communicator_);
    for (int64_t i = share.begin; i < share.end; ++i) {
      auto& [group, prompt] = asked[static_cast<size_t>(i)];
      groups.push_back(group);
      prompts.push_back(std::move(prompt));
    }
  };
  take_share(paused_samples());
  take_share(new_groups());
  GenerateContext context;
  context.max_new_tokens = config_.rollout.partial_rollout_length;
  context.expected_length = [&](int64_t i) {
    const Prompt& prompt = prompts[static_cast<size_t>(i)];
    const auto known = lengths_.find(prompt.problem);
    const double whole = known == lengths_.end() ? static_cast<double>(params.max_completion_length) : known->second;
    return whole - (prompt.continuation ? static_cast<double>(prompt.continuation->ids.size()) : 0.0);
  };
  auto rollouts = generate(policy_, engine_, prompts, params, key, context);
  for (Rollout& rollout : rollouts) {
    const auto number = static_cast<size_t>(rollout.group);
    if (!prompts[number].continuation) rollout.policy_version = version;
    rollout.group = groups[number];
  }
  return rollouts;
}

void GroupSampler::put_back(std::vector<Rollout> rollouts) {
  for (Rollout& rollout : rollouts) {
    auto& samples = waiting_[static_cast<size_t>(rollout.group)].rollouts;
    samples.resize(static_cast<size_t>(config_.rollout.sampling.num_generations));
    samples[static_cast<size_t>(rollout.sample)] = std::move(rollout);
  }
}

std::vector<SampleGroup> GroupSampler::take_finished(bool all) {
  const auto end = std::stable_partition(waiting_.begin(), waiting_.end(), [all](const SampleGroup& group) {
    return !all && std::any_of(group.rollouts.begin(), group.rollouts.end(), paused);
  });
  std::vector<SampleGroup> finished(std::make_move_iterator(end), std::make_move_iterator(waiting_.end()));
  waiting_.erase(end, waiting_.end());
  return finished;
}

void GroupSampler::note_lengths(const SampleGroup& group) {
  if (group.rollouts.empty()) return;
  lengths_[group.rollouts.front().problem] = count_tokens(group.rollouts) / static_cast<double>(group.rollouts.size());
}

int64_t GroupSampler::drop_older(int64_t version) {
  return static_cast<int64_t>(
      std::erase_if(waiting_, [version](const SampleGroup& group) { return group.rollouts.front().policy_version < version; }));
}

double GroupSampler::waiting_tokens() const {
  return std::accumulate(waiting_.begin(), waiting_.end(), 0.0,
                         [](double sum, const SampleGroup& group) { return sum + count_tokens(group.rollouts); });
}

void GroupSampler::save(const std::filesystem::path& file) const {
  json groups = json::array();
  for (const SampleGroup& group : waiting_) groups.push_back(to_json(group));
  write_file_atomically(file, to_text(groups));
}

void GroupSampler::load(const std::filesystem::path& file) {
  std::vector<SampleGroup> groups;
  try {
    std::ifstream in(file);
    for (const json& saved : parse_json(std::string(std::istreambuf_iterator<char>(in), {}))) groups.push_back(from_json(saved));
  } catch (const json::exception& error) {
    fail("checkpoint", "expected the samples that wait in " + file.string() + "; got something else: " + error.what());
  }
  for (const SampleGroup& group : groups) {
    const auto samples = static_cast<int64_t>(group.rollouts.size());
    GRPO_CHECK(
        samples == config_.rollout.sampling.num_generations && group.item >= 0 && group.item < static_cast<int64_t>(problems_.size()),
        "checkpoint", "expected groups of num_generations samples and problems of the data in " + file.string() + "; got others");
  }
  waiting_ = std::move(groups);
}

}  // namespace grpo
