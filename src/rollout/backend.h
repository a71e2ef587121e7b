#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "grpo/core/random.h"
#include "grpo/model/view.h"
#include "grpo/rollout/engine.h"
#include "pages.h"

namespace grpo {

/// A token at its place: its key and value are written to `sequence`'s cache, and it sees the positions up to its own.
struct DecodeRow {
  int32_t token = 0;
  int32_t sequence = 0;
  int64_t position = 0;
};

/// The draw of the token that follows a row.
struct DecodeDraw {
  SampleKey key;
  uint32_t position = 0;            // of the drawn token within the completion
  int32_t remaining = 1;            // tokens that the sample may still have, this one included
  std::span<const int32_t> prompt;  // what a repetition penalty applies to
  std::span<const int32_t> output;
};

/// id -1: the logits were not finite.
struct DrawnToken {
  int32_t id = -1;
  float logprob = 0, processed_logprob = 0;  // nats, as in Rollout
};

/// What one call runs: all rows, then a draw of one token after each of the first draws.size() rows; the rows after those are prompts',
/// whose keys the other rows may see, while a drawn row's own key only that row sees. With more `steps` than one, all rows draw, and each
/// goes on with what it drew until its sample ends: at a stop id, or with its last remaining token.
struct StepBatch {
  std::span<const DecodeRow> rows;
  std::span<const DecodeDraw> draws;
  std::span<const int32_t> stop_ids;
  std::span<const CachedSequence> sequences;  // with pages for all that the call writes
  int64_t steps = 1;
};

/// Room that a back end is to make before steps run. Sequences 0 … slots-1 are samples', slots … 2 slots-1 prefixes'.
struct BackendLimits {
  int64_t rows = 0;             // of one step
  int64_t slots = 0;            // draws of one step at most
  int64_t pages = 0;            // of keys and values, of all sequences
  int64_t slot_capacity = 0;    // positions of a sample's own at most
  int64_t prefix_capacity = 0;  // positions of a prefix at most
  int64_t length = 0;           // positions that a row may see
  friend bool operator==(const BackendLimits&, const BackendLimits&) = default;
};

/// A decoder on one device. The engine schedules; the back end computes. Results of a row depend on its own tokens alone.
class DecodeBackend {
 public:
  virtual ~DecodeBackend() = default;

  std::atomic<bool> busy = false;  // the engine's, see OneCaller

  /// Steps of one call at most.
  virtual int64_t steps() const = 0;
  /// Packs the weights unless those of `version` are packed already. The view stays valid while steps run.
  virtual void refresh(const ModelView& view, int64_t version) = 0;
  /// Samples to decode at a time, each of so many positions at most, where nobody asks for another number. Weights are packed.
  virtual int64_t slots(const ModelView& view, int64_t positions) const = 0;
  /// Bytes of a page of keys and values.
  virtual int64_t page_bytes(const ModelView& view) const = 0;
  virtual void reserve(const BackendLimits& limits) = 0;
  /// drawn [batch.steps, batch.draws]; what lies beyond a sample's end is indeterminate.
  virtual void step(const StepBatch& batch, const SamplingParams& params, std::span<DrawnToken> drawn) = 0;
  /// Frees weights and caches.
  virtual void release() = 0;
};

/// Reads the options' threads and types.
std::unique_ptr<DecodeBackend> make_cpu_backend(const EngineOptions& options);
/// Throws where the build has no CUDA or the machine no GPU.
std::unique_ptr<DecodeBackend> make_cuda_backend();

}  // namespace grpo
