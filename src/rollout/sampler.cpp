#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace grpo {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Logits over a temperature, and how they sum.
struct Distribution {
  const kernels::DecodeKernels& kernels;
  std::span<const float> logits;
  float inverse_temperature;
  SamplerScratch& scratch;
  kernels::SoftmaxSums sums;

  Distribution(const kernels::DecodeKernels& table, std::span<const float> row, double temperature, SamplerScratch& reused)
      : kernels(table), logits(row), inverse_temperature(static_cast<float>(1.0 / temperature)), scratch(reused) {
    scratch.block_sums.resize((row.size() + kernels::kSoftmaxBlock - 1) / kernels::kSoftmaxBlock);
    sums = kernels.softmax_sums(row.data(), static_cast<int64_t>(row.size()), inverse_temperature, scratch.block_sums.data());
  }
  bool finite() const { return std::isfinite(sums.max) && std::isfinite(sums.sum); }
  int32_t most_likely() const { return static_cast<int32_t>(std::find(logits.begin(), logits.end(), sums.max) - logits.begin()); }
  int32_t draw(float uniform) const {
    return static_cast<int32_t>(kernels.inverse_cdf(logits.data(), static_cast<int64_t>(logits.size()), inverse_temperature, sums,
                                                    scratch.block_sums.data(), uniform));
  }
  float logprob(int32_t id) const {
    const double scaled = (static_cast<double>(logits[static_cast<size_t>(id)]) - sums.max) * inverse_temperature;
    return static_cast<float>(scaled - std::log(sums.sum));
  }
};

// From the raw logits, so that a token that occurs twice is penalised once.
void penalise(std::span<const float> logits, std::span<const int32_t> ids, double penalty, std::vector<float>& out) {
  for (const int32_t id : ids) {
    const float logit = logits[static_cast<size_t>(id)];
    out[static_cast<size_t>(id)] = static_cast<float>(logit > 0.0F ? logit / penalty : logit * penalty);
  }
}

bool likelier(const std::pair<float, int32_t>& a, const std::pair<float, int32_t>& b) {
  return a.first > b.first || (a.first == b.first && a.second < b.second);
}

// Cuts the candidates, a heap, to the shortest run of the likeliest ones whose mass reaches top_p.
void keep_nucleus(std::vector<std::pair<float, int32_t>>& candidates, double top_p, double temperature) {
  const auto below = [](const auto& a, const auto& b) { return likelier(b, a); };
  std::make_heap(candidates.begin(), candidates.end(), below);
  const double max = candidates.front().first;
  const auto mass = [&](const auto& candidate) { return std::exp((candidate.first - max) / temperature); };
  double total = 0.0;
  for (const auto& candidate : candidates) total += mass(candidate);
  double before = 0.0;
  auto end = candidates.end();
  do {
    before += mass(candidates.front());
    std::pop_heap(candidates.begin(), end--, below);
  } while (end != candidates.begin() && before < top_p * total);
  candidates.erase(candidates.begin(), end);
}

// Sets the logits that min-p, top-k and top-p take out to -infinity.
void truncate(const SamplingParams& params, std::vector<float>& logits, std::vector<std::pair<float, int32_t>>& candidates) {
  const float max = *std::max_element(logits.begin(), logits.end());
  const float least = params.min_p > 0.0 ? static_cast<float>(max + std::log(params.min_p) * params.temperature) : kNever;
  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= least && logits[i] > kNever) candidates.emplace_back(logits[i], static_cast<int32_t>(i));
  }
  if (params.top_k > 0 && params.top_k < static_cast<int64_t>(candidates.size())) {
    std::nth_element(candidates.begin(), candidates.begin() + params.top_k, candidates.end(), likelier);
    candidates.resize(static_cast<size_t>(params.top_k));
  }
  if (params.top_p < 1.0) keep_nucleus(candidates, params.top_p, params.temperature);
  std::fill(logits.begin(), logits.end(), kNever);
  for (const auto& [logit, id] : candidates) logits[static_cast<size_t>(id)] = logit;
}

}  // namespace

DrawnToken draw_token(const kernels::DecodeKernels& kernels, const SamplingParams& params, std::span<const float> logits, float uniform,
                      std::span<const int32_t> prompt, std::span<const int32_t> output, SamplerScratch& scratch) {
  const double temperature = params.greedy() ? 1.0 : params.temperature;
  const Distribution plain(kernels, logits, temperature, scratch);
  if (!plain.finite()) return {};
  if (!params.reshapes()) {
    if (params.greedy()) return {plain.most_likely(), plain.logprob(plain.most_likely()), 0.0F};
    const int32_t id = plain.draw(uniform);
    return {id, plain.logprob(id), plain.logprob(id)};
  }
  scratch.processed.assign(logits.begin(), logits.end());
  if (params.repetition_penalty != 1.0) {
    penalise(logits, prompt, params.repetition_penalty, scratch.processed);
    penalise(logits, output, params.repetition_penalty, scratch.processed);
  }
  if (!params.greedy() && params.truncates()) truncate(params, scratch.processed, scratch.candidates);
  const Distribution processed(kernels, scratch.processed, temperature, scratch);
  if (params.greedy()) return {processed.most_likely(), plain.logprob(processed.most_likely()), 0.0F};
  const int32_t id = processed.draw(uniform);
  return {id, plain.logprob(id), processed.logprob(id)};
}

}  // namespace grpo
