#include "grpo/algorithm/batch.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>
#include <span>
#include <string>

#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "packer.h"

namespace grpo {
namespace {

constexpr at::Tensor Batch::*kPairTensors[] = {&Batch::advantages,        &Batch::mask, &Batch::old_logprobs, &Batch::ref_logprobs,
                                               &Batch::sampling_logprobs, &Batch::draws};

at::Tensor float_tensor(const std::vector<float>& values) { return at::tensor(values, at::kFloat); }

std::string name_of(const Sequence& sequence) {
  return "sample " + std::to_string(sequence.sample) + " of group " + std::to_string(sequence.group);
}

void check_sequence(const Sequence& sequence, const Sequence& first_of_group) {
  GRPO_CHECK(!sequence.prompt_ids.empty(), "make_batch", "expected at least one prompt id; got none in " + name_of(sequence));
  GRPO_CHECK(!sequence.ids.empty(), "make_batch", "expected at least one sampled id; got none in " + name_of(sequence));
  GRPO_CHECK(std::ranges::equal(sequence.prompt_ids, first_of_group.prompt_ids), "make_batch",
             "expected one prompt for the whole group; got another one in " + name_of(sequence));
  GRPO_CHECK(sequence.logprobs.empty() || sequence.logprobs.size() == sequence.ids.size(), "make_batch",
             "expected one log-prob per id (" + std::to_string(sequence.ids.size()) + ") or none; got " +
                 std::to_string(sequence.logprobs.size()) + " in " + name_of(sequence));
}

/// One number for each id of the sequence, drawn apart from those that sampled it.
void append_draws(std::vector<float>& draws, const Sequence& sequence, const DrawKey& key) {
  const SampleKey sample{.seed = ~key.seed,
                         .step = key.step,
                         .problem = static_cast<uint64_t>(sequence.stream),
                         .sample = static_cast<uint32_t>(sequence.sample)};
  for (uint32_t position = 0; position < sequence.ids.size(); ++position) draws.push_back(sample_uniform(sample, position));
}

/// Advantages [B] or [M] as [M].
at::Tensor per_pair(const at::Tensor& advantages, const Batch& batch) {
  const int64_t count = batch.num_sequences(), pairs = batch.num_pairs();
  GRPO_CHECK(advantages.dim() == 1 && (advantages.size(0) == count || advantages.size(0) == pairs), "make_batch",
             "expected advantages [" + std::to_string(count) + "], one per rollout, or [" + std::to_string(pairs) + "], one per id; got " +
                 std::to_string(advantages.numel()));
  if (advantages.size(0) == pairs) return advantages.to(at::kFloat);
  return advantages.to(at::kFloat).index_select(0, at::tensor(batch.sequence_of).to(advantages.device()));
}

}  // namespace

Batch make_batch(const std::vector<Sequence>& sequences, const at::Tensor& advantages, const BatchOptions& options) try {
  GRPO_CHECK(!sequences.empty(), "make_batch", "expected at least one sequence; got none");
  Batch batch;
  Packer packer(batch);
  std::vector<float> mask, sampling, draws;
  const bool sampled = std::ranges::none_of(sequences, [](const Sequence& sequence) { return sequence.logprobs.empty(); });
  const Sequence* first = &sequences.front();
  for (const Sequence& sequence : sequences) {
    if (sequence.group != first->group) first = &sequence;
    check_sequence(sequence, *first);
    packer.add(sequence.group, sequence.prompt_ids, sequence.ids);
    batch.born_at_step.push_back(sequence.born_at_step);
    const bool cut_off = sequence.finish != FinishReason::kStop && sequence.finish != FinishReason::kStopString;
    const bool masked = options.mask_truncated_completions && cut_off;
    mask.resize(mask.size() + sequence.ids.size(), masked ? 0.0F : 1.0F);
    if (sampled) sampling.insert(sampling.end(), sequence.logprobs.begin(), sequence.logprobs.end());
    if (options.draw_key) append_draws(draws, sequence, *options.draw_key);
  }
  batch.mask = float_tensor(mask);
  if (sampled) batch.sampling_logprobs = float_tensor(sampling);
  if (options.draw_key) batch.draws = float_tensor(draws);
  if (advantages.defined()) batch.advantages = per_pair(advantages, batch);
  return batch;
} catch (...) {
  rethrow_as_error("make_batch");
}

Batch make_batch(const std::vector<Rollout>& rollouts, const at::Tensor& advantages, const BatchOptions& options) try {
  std::vector<Sequence> sequences;
  for (const Rollout& rollout : rollouts) {
    sequences.push_back({.group = rollout.group,
                         .sample = rollout.sample,
                         .stream = rollout.problem,
                         .prompt_ids = rollout.prompt_ids,
                         .ids = rollout.ids,
                         .logprobs = rollout.logprobs,
                         .finish = rollout.finish,
                         .born_at_step = rollout.weights_version});
  }
  return make_batch(sequences, advantages, options);
} catch (...) {
  rethrow_as_error("make_batch");
}

Batch Batch::select(std::vector<int64_t> chosen) const try {
  std::ranges::sort(chosen);
  GRPO_CHECK(std::ranges::adjacent_find(chosen) == chosen.end(), "Batch::select", "expected each sequence once; got one twice");
  GRPO_CHECK(!chosen.empty() && chosen.front() >= 0 && chosen.back() < num_sequences(), "Batch::select",
             "expected numbers of sequences below " + std::to_string(num_sequences()) + "; got none or one outside");
  std::vector<Segment> completions;  // by sequence
  std::ranges::copy_if(segments, std::back_inserter(completions), [](const Segment& s) { return s.prefix_end > s.prefix_begin; });
  std::vector<int64_t> first_pair(completions.size() + 1, 0);
  std::transform_inclusive_scan(completions.begin(), completions.end(), first_pair.begin() + 1, std::plus<>(),
                                [](const Segment& s) { return s.end - s.begin; });

  Batch part;
  Packer packer(part);
  std::vector<int64_t> pairs;
  const auto ids = [this](int64_t begin, int64_t end) {
    return std::span(tokens).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  };
  for (const int64_t sample : chosen) {
    const auto number = static_cast<size_t>(sample);
    const Segment& completion = completions[number];
    if (!born_at_step.empty()) part.born_at_step.push_back(born_at_step[number]);
    packer.add(groups[number], ids(completion.prefix_begin, completion.prefix_end), ids(completion.begin, completion.end));
    for (int64_t pair = first_pair[number]; pair < first_pair[number + 1]; ++pair) pairs.push_back(pair);
  }
  const at::Tensor index = at::tensor(pairs);
  for (const auto member : kPairTensors) {
    const at::Tensor& whole = this->*member;
    if (whole.defined()) part.*member = whole.index_select(0, index.to(whole.device()));
  }
  for (const auto& [name, column] : columns) part.columns[name] = column.index_select(0, index.to(column.device()));
  return part;
} catch (...) {
  rethrow_as_error("Batch::select");
}

Batch Batch::to(at::Device device) const try {
  Batch moved = *this;
  for (const auto member : kPairTensors) {
    if ((this->*member).defined()) moved.*member = (this->*member).to(device);
  }
  for (auto& [name, column] : moved.columns) column = column.to(device);
  return moved;
} catch (...) {
  rethrow_as_error("Batch::to");
}

}  // namespace grpo
