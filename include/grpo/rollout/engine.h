#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/types.h"
#include "grpo/rollout/sampling.h"

namespace grpo {
class DecodeBackend;  // not public
}  // namespace grpo

namespace GRPO_API grpo {

class Tokenizer;
class Transformer;
struct ModelView;

/// What linear layers multiply while sampling; sums are fp32. kFloat32 samples from the trainer's own distribution, up to rounding. The
/// others round each input row, and weights once per update, and sample from a distribution of their own, which the recorded log-probs
/// are of.
enum class ComputeDType : uint8_t {
  kFloat32,
  kBFloat16,  // both to nearest even
  kInt8,      // symmetric; a scale for each output of a layer and one for each input row
};

/// What keys and values are kept in.
enum class KvDType : uint8_t { kFloat32, kBFloat16 };

struct EngineOptions {
  int64_t max_slots = 0;                       // samples decoded at a time, if the KV budget allows; 0 = by model and machine
  int64_t max_sequence_length = 0;             // tokens, prompt and completion together; 0 = the model's own limit
  int64_t kv_budget_bytes = int64_t{2} << 30;  // for keys and values of all sequences
  int64_t prefill_tokens = 256;                // prompt tokens that join a decode step
  int threads = 0;                             // OpenMP threads; 0 = OpenMP's default
  ComputeDType compute_dtype = ComputeDType::kFloat32;
  KvDType kv_dtype = KvDType::kFloat32;

  /// Whether sampling rounds as training in fp32 does.
  bool exact() const { return compute_dtype == ComputeDType::kFloat32 && kv_dtype == KvDType::kFloat32; }
};

/// With a prompt's problem index and a sample's number in its group, the whole of a sample's randomness.
struct RolloutKey {
  uint64_t seed = 0;  // of the run
  uint64_t step = 0;  // rollout number within the run
};

/// A sample that has begun, to go on with.
struct Continuation {
  int64_t sample = 0;                               // its number in its group
  RolloutKey key;                                   // that it began under
  int64_t weights_version = 0;                      // of its first token
  std::vector<int32_t> ids;                         // its completion so far
  std::vector<float> logprobs, processed_logprobs;  // one per id, as in Rollout
};

/// One group's prompt, or that of a single sample to go on with.
struct Prompt {
  int64_t problem = -1;      // Problem::index: part of the random key; negative = the prompt's place in the call
  std::vector<int32_t> ids;  // at least one
  std::optional<Continuation> continuation = std::nullopt;
  int64_t max_completion_length = 0;  // tokens, if that is fewer than the parameters'; 0 = theirs
};

/// The prompt that goes on with a rollout that was paused and began under `key`. A rollout does not know its prompt's own
/// max_completion_length: if it had one, set it again.
Prompt resumed(const Rollout& paused, const RolloutKey& key);

/// A token as it is sampled.
struct TokenEvent {
  int64_t group = 0, sample = 0;
  int64_t position = 0;  // 0 = first token of the completion
  int32_t id = 0;
  float logprob = 0;  // as in Rollout::logprobs
};

/// What `generate` needs or reports beside its parameters; all of it is optional.
struct GenerateContext {
  const Tokenizer* tokenizer = nullptr;                               // needed if SamplingParams::stop is not empty
  std::function<void(const TokenEvent&)> on_token;                    // after every token, a sample's tokens in order
  std::function<void(int64_t tokens, int64_t rollouts)> on_progress;  // done so far, after every step
  std::function<bool()> interrupted;                                  // polled between steps; true ends generate, see there
  /// Tokens that completions of a prompt (its place in the call) probably have: groups begin longest first, so that no long one is left
  /// alone at the end. Samples do not depend on it.
  std::function<double(int64_t group)> expected_length;
  int64_t max_new_tokens = 0;  // a sample that has not ended after so many tokens of this call comes back as kPaused; 0 = no limit
};

/// Samples completions from the policy's own weights. A group's prompt is computed once and its keys and values are shared by the
/// group's samples; a slot takes the next sample as soon as its own ends. Keys and values lie in pages that sequences take as they grow:
/// the budget bounds what all of them hold at a time, not how many may begin. If it is used up, the youngest sample is computed again
/// later.
///
/// A sample depends on the weights, the prompt's ids, the parameters and its key alone: for one instruction set, tokens and log-probs
/// are equal bit for bit at any slot count, batch, thread count and order of refilling (on CUDA up to what its matrix product rounds
/// differently for other batch sizes). One call at a time: a second thread needs an engine of its own.
class RolloutEngine {
 public:
  /// Keeps a reference to `model`. Throws if the model is not on a device that has an engine.
  explicit RolloutEngine(Transformer& model, EngineOptions options = {});
  /// Over weights of the caller's: `view` stays valid, `version` counts the writes to what it points at.
  RolloutEngine(const ModelView& view, std::function<int64_t()> version, EngineOptions options = {});
  ~RolloutEngine();
  RolloutEngine(RolloutEngine&&) noexcept;

  /// Samples `params.num_generations` completions of every prompt, or one if the prompt has a continuation, in the order of prompts and
  /// then of samples. Weights are packed again if their version changed. Log-probs of a greedy sample: `logprobs` under softmax(logits),
  /// `processed_logprobs` 0.
  ///
  /// A continued sample comes back whole, its earlier tokens as they were given. They are computed again, under the weights of now; if
  /// those are the same, it goes on as if never paused (on the CPU bit for bit).
  ///
  /// Equal prompts get different samples unless their `problem` is set to one number. If `context.interrupted` says so, the call ends early
  /// and returns all samples: those that had not ended are kCancelled, with the tokens that they have.
  /// Throws usage errors for a call while another one goes on, for parameters out of range, for prompts that leave no room in the context
  /// (naming the problem) and if the KV budget does not hold one sequence; an Error if the model gives logits that are not finite.
  std::vector<Rollout> generate(std::span<const Prompt> prompts, const SamplingParams& params, const RolloutKey& key,
                                const GenerateContext& context = {});

  /// Frees packed weights and the KV pool; the next generate builds them again.
  void release();

 private:
  const ModelView* view_;
  std::function<int64_t()> version_;
  EngineOptions options_;
  std::unique_ptr<DecodeBackend> backend_;
};

}  // namespace grpo
