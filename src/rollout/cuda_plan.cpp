#include <algorithm>
#include <utility>

#include "cuda_backend.h"

// What a call uploads: its rows, who attends with whom, and the state of every draw.
namespace grpo {
namespace {

// Tasks of up to kTaskRows rows out of (cache, row) pairs.
void group_by_cache(std::vector<std::pair<int32_t, int32_t>>& users, bool of_prefix, std::vector<kernels::AttentionTask>& tasks) {
  std::sort(users.begin(), users.end());
  int32_t cache = -1;
  for (const auto& [used, row] : users) {
    if (used != cache || tasks.back().count == kernels::kTaskRows) tasks.push_back({.of_prefix = of_prefix ? 1 : 0});
    cache = used;
    tasks.back().rows[tasks.back().count++] = row;
  }
  users.clear();
}

}  // namespace

void CudaBackend::plan_sequences(std::span<const CachedSequence> sequences) {
  sequences_.host.clear();
  pages_.host.clear();
  for (const CachedSequence& sequence : sequences) {
    sequences_.host.push_back({.first_page = static_cast<int32_t>(pages_.host.size()),
                               .prefix = sequence.prefix,
                               .prefix_length = static_cast<int32_t>(sequence.prefix_length)});
    pages_.host.insert(pages_.host.end(), sequence.pages.begin(), sequence.pages.end());
  }
}

// Decode rows have sequences of their own; the other rows of one sequence share tasks, as do rows with a common prefix.
void CudaBackend::plan_tasks(const StepBatch& batch) {
  const std::span<const DecodeRow> rows = batch.rows;
  singles_.host.clear();
  shared_.host.clear();
  std::vector<std::pair<int32_t, int32_t>> own, prefix;
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto row = static_cast<int32_t>(r);
    if (r < batch.draws.size()) {
      singles_.host.push_back({.rows = {row}, .count = 1});
    } else {
      own.emplace_back(rows[r].sequence, row);
    }
    const CachedSequence& sequence = batch.sequences[static_cast<size_t>(rows[r].sequence)];
    if (sequence.prefix_length > 0) prefix.emplace_back(sequence.prefix, row);
  }
  group_by_cache(own, false, shared_.host);
  group_by_cache(prefix, true, shared_.host);
}

void CudaBackend::plan_call(const StepBatch& batch, const SamplingParams& params) {
  rows_.host.clear();
  for (const DecodeRow& row : batch.rows) rows_.host.push_back({row.token, row.sequence, static_cast<int32_t>(row.position)});
  plan_sequences(batch.sequences);
  plan_tasks(batch);
  states_.host.clear();
  for (const DecodeDraw& draw : batch.draws) {
    const auto stream = sample_stream(draw.key);
    states_.host.push_back({.stream = {stream[0], stream[1], stream[2], stream[3]},
                            .sample = draw.key.sample,
                            .position = draw.position,
                            .remaining = draw.remaining});
  }
  stop_ids_.host.assign(batch.stop_ids.begin(), batch.stop_ids.end());
  mark_seen(batch.draws, params);
}

void CudaBackend::mark_seen(std::span<const DecodeDraw> draws, const SamplingParams& params) {
  seen_.host.clear();
  if (params.repetition_penalty == 1.0) return;
  const auto words = static_cast<size_t>((view_->vocab_limit + 31) / 32);
  seen_.host.assign(static_cast<size_t>(slots_) * words, 0);
  for (size_t d = 0; d < draws.size(); ++d) {
    for (const auto& ids : {draws[d].prompt, draws[d].output}) {
      for (const int32_t id : ids) {
        if (id < view_->vocab_limit) seen_.host[d * words + static_cast<size_t>(id) / 32] |= 1U << id % 32;
      }
    }
  }
}

void CudaBackend::upload_call() {
  sequences_.upload(stream_);
  pages_.upload(stream_);
  rows_.upload(stream_);
  singles_.upload(stream_);
  shared_.upload(stream_);
  states_.upload(stream_);
  stop_ids_.upload(stream_);
  seen_.upload(stream_);
}

void CudaBackend::set_sampling(const SamplingParams& params, size_t stop_count) {
  const bool greedy = params.greedy();
  const Sampling wanted{.temperature = greedy ? 1.0 : params.temperature,
                        .top_p = greedy ? 1.0 : params.top_p,  // greedy: truncation leaves the most likely token
                        .min_p = greedy ? 0.0 : params.min_p,
                        .repetition_penalty = params.repetition_penalty,
                        .top_k = greedy ? 0 : params.top_k,
                        .vocab_limit = view_->vocab_limit,
                        .stop_count = stop_count,
                        .greedy = greedy,
                        .reshapes = params.reshapes()};
  if (wanted == sampling_) return;
  sampling_ = wanted;
  graphs_.clear();
  reserve_sampling();
}

void CudaBackend::reserve_sampling() {
  const char* what = "sampling (lower max_slots)";
  const int64_t chunks = (sampling_.vocab_limit + kernels::kLogitChunk - 1) / kernels::kLogitChunk;
  const int64_t sums = slots_ * chunks * static_cast<int64_t>(sizeof(kernels::ChunkSums));
  sums_.resize(sums, what);
  stop_ids_.buffer.resize(static_cast<int64_t>(sampling_.stop_count * sizeof(int32_t)), what);
  if (sampling_.reshapes) processed_sums_.resize(sums, what);
  if (sampling_.reshapes) processed_.resize(slots_ * view_->config->vocab_size * 4, what);
  if (sampling_.repetition_penalty != 1.0) seen_.buffer.resize(slots_ * ((sampling_.vocab_limit + 31) / 32) * 4, what);
}

}  // namespace grpo
