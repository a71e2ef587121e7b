#include "trainer/group_sampler.h"

#include <algorithm>
#include <iterator>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "policy/experience_file.h"
#include "policy/gather.h"
#include "policy/sampling.h"

namespace grpo {
namespace {

bool paused(const Sample& sample) { return sample.finish == FinishReason::kPaused; }
bool unfinished(const Group& group) { return group.samples.empty() || std::ranges::any_of(group.samples, paused); }

}  // namespace

GroupSampler::GroupSampler(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems,
                           const std::vector<Policy::EncodedPrompt>& prompts, const RolloutSection& config, Communicator& communicator)
    : policy_(policy), engine_(engine), problems_(problems), prompts_(prompts), config_(config), communicator_(communicator) {}

Experience GroupSampler::sample(const std::vector<int64_t>& items, const RolloutKey& key, double temperature, int64_t step) {
  SamplingParams params = config_.sampling;
  params.temperature = temperature;
  const bool pauses = config_.partial_rollout_length > 0 || !waiting_.empty();
  begin(items, key);
  Experience finished;
  while (finished.empty() && !waiting_.empty()) {
    std::vector<PlacedSample> samples;
    interruptible(communicator_, [&] { samples = advance(params, key, step); });
    if (pauses) gather(communicator_, samples);
    put_back(std::move(samples));
    finished = take_finished();
    if (!pauses) waiting_.clear();  // other ranks have them
    if (!pauses) break;
  }
  note_lengths(finished);
  if (!pauses) return finished;
  const Share share = share_of(static_cast<int64_t>(finished.size()), communicator_);
  return {std::make_move_iterator(finished.begin() + share.begin), std::make_move_iterator(finished.begin() + share.end)};
}

void GroupSampler::begin(const std::vector<int64_t>& items, const RolloutKey& key) {
  Streams streams;
  for (const int64_t item : items) {
    const Problem& problem = problems_[static_cast<size_t>(item)];
    const auto& prompt = prompts_[static_cast<size_t>(item)];
    waiting_.push_back({.item = item,
                        .problem = &problem,
                        .key = key,
                        .stream = streams.next(problem),
                        .prompt = prompt.text,
                        .prompt_ids = prompt.ids,
                        .samples = {}});
  }
}

GroupSampler::Asked GroupSampler::paused_samples() const {
  Asked asked;
  for (int64_t g = 0; g < waiting(); ++g) {
    const Group& group = waiting_[static_cast<size_t>(g)];
    for (size_t i = 0; i < group.samples.size(); ++i) {
      const Sample& sample = group.samples[i];
      if (!paused(sample)) continue;
      Continuation earlier{.sample = static_cast<int64_t>(i),
                           .key = group.key,
                           .ids = sample.ids,
                           .logprobs = sample.logprobs,
                           .processed_logprobs = sample.processed_logprobs};
      asked.push_back({g, {group.stream, group.prompt_ids, std::move(earlier)}});
    }
  }
  return asked;
}

GroupSampler::Asked GroupSampler::new_groups() const {
  Asked asked;
  for (int64_t g = 0; g < waiting(); ++g) {
    const Group& group = waiting_[static_cast<size_t>(g)];
    if (group.samples.empty()) asked.push_back({g, {group.stream, group.prompt_ids}});
  }
  return asked;
}

std::vector<PlacedSample> GroupSampler::advance(const SamplingParams& params, const RolloutKey& key, int64_t step) {
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
  context.max_new_tokens = config_.partial_rollout_length;
  context.interrupted = [] { return abandon_requested(); };
  context.expected_length = [&](int64_t i) {
    const auto known = lengths_.find(waiting_[static_cast<size_t>(groups[static_cast<size_t>(i)])].item);
    const double whole = known == lengths_.end() ? static_cast<double>(params.max_completion_length) : known->second;
    const auto& earlier = prompts[static_cast<size_t>(i)].continuation;
    return whole - (earlier ? static_cast<double>(earlier->ids.size()) : 0.0);
  };
  std::vector<PlacedSample> samples;
  if (prompts.empty()) return samples;
  for (Rollout& rollout : generate(policy_, engine_, prompts, params, key, context)) {
    expect_uncancelled(rollout.finish);
    const auto prompt = static_cast<size_t>(rollout.group);
    const auto group = static_cast<size_t>(groups[prompt]), place = static_cast<size_t>(rollout.sample);
    const int64_t born = prompts[prompt].continuation ? waiting_[group].samples[place].born_at_step : step;
    samples.push_back({.group = groups[prompt], .place = rollout.sample, .sample = sample_of(std::move(rollout))});
    samples.back().sample.born_at_step = born;
  }
  return samples;
}

void GroupSampler::put_back(std::vector<PlacedSample> samples) {
  for (PlacedSample& placed : samples) {
    auto& of_group = waiting_[static_cast<size_t>(placed.group)].samples;
    of_group.resize(static_cast<size_t>(config_.sampling.num_generations));
    of_group[static_cast<size_t>(placed.place)] = std::move(placed.sample);
  }
}

Experience GroupSampler::take_finished() {
  const auto end = std::stable_partition(waiting_.begin(), waiting_.end(), unfinished);
  Experience finished(std::make_move_iterator(end), std::make_move_iterator(waiting_.end()));
  waiting_.erase(end, waiting_.end());
  return finished;
}

void GroupSampler::note_lengths(const Experience& groups) {
  for (const Group& group : groups) lengths_[group.item] = count_tokens(group) / static_cast<double>(group.samples.size());
}

int64_t GroupSampler::drop_older(int64_t step) {
  return static_cast<int64_t>(std::erase_if(waiting_, [step](const Group& group) { return group.samples.front().born_at_step < step; }));
}

void GroupSampler::save(const std::filesystem::path& file) const { write_experience(file, waiting_); }

void GroupSampler::load(const std::filesystem::path& file) {
  Experience groups = read_experience(file);
  for (Group& group : groups) {
    const auto samples = static_cast<int64_t>(group.samples.size());
    GRPO_CHECK(samples == config_.sampling.num_generations && group.item >= 0 && group.item < static_cast<int64_t>(problems_.size()),
               "checkpoint", "expected groups of num_generations samples and problems of the data in " + file.string() + "; got others");
    group.problem = &problems_[static_cast<size_t>(group.item)];
  }
  waiting_ = std::move(groups);
}

}  // namespace grpo
