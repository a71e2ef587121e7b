#pragma once

#include <cstdint>

#include "decode_cuda.h"

// Drawing of tokens from logits on the device. C++17.
namespace grpo::kernels {

/// What a row's draws need, advanced by every draw.
struct DrawState {
  uint32_t stream[4] = {};  // grpo::sample_stream of the sample's key
  uint32_t sample = 0;
  uint32_t position = 0;  // of the next token within the completion
  int32_t remaining = 0;  // tokens that may still be drawn
  int32_t taken = 0;      // draws since the state was set
};

/// id -1: the logits were not finite.
struct Drawn {
  int32_t id;
  float logprob, processed_logprob;  // nats, as in Rollout
};

/// Logits are summed in chunks of this many columns.
inline constexpr int64_t kLogitChunk = 4096;
struct ChunkSums {
  float max, sum;  // of the chunk's logits; of exp((logit - max) inverse_temperature)
};

struct Logits {
  const float* logits = nullptr;  // [n, stride]
  ChunkSums* sums = nullptr;      // [n, ceil(limit / kLogitChunk)]
  int64_t stride = 0;
  int64_t limit = 0;  // columns from here on are never drawn
  float inverse_temperature = 1.0F;
};
/// One pass over the logits: fills `sums`. Idle rows are left out.
void logit_sums_cuda(const Logits& logits, const StepRow* rows, int64_t n, CUstream_st* stream);

/// Draws one token per row by inverting the cumulative sum at grpo::sample_uniform (or takes the most likely one, the lowest id among
/// equals), writes it to drawn[taken * drawn_stride + row], and moves row and state on by one position. A row becomes idle at a stop id,
/// after its last remaining token and where its logits are not finite.
struct Draw {
  Logits plain;      // log-prob is under these
  Logits processed;  // what is drawn from; the same where nothing reshapes them
  bool greedy = false;
  const int32_t* stop_ids = nullptr;
  int64_t stop_count = 0;
  uint32_t* seen = nullptr;     // [n, ceil(limit / 32)] bits of tokens that occurred, or null
  DrawState* states = nullptr;  // [n]
  Drawn* drawn = nullptr;
  int64_t drawn_stride = 0;
};
void draw_cuda(const Draw& args, StepRow* rows, int64_t n, CUstream_st* stream);

/// processed = logits after repetition penalty, min-p, top-k and top-p, in this order; what is taken out is -infinity. Among equal logits
/// the lower id stays.
struct Reshape {
  const float* logits = nullptr;  // [n, stride]
  float* processed = nullptr;     // [n, stride]
  int64_t stride = 0, limit = 0;
  double temperature = 1.0;
  double repetition_penalty = 1.0;  // of the ids in `seen`
  double min_p = 0.0, top_p = 1.0;
  int64_t top_k = 0;
  const uint32_t* seen = nullptr;  // as in Draw
};
void reshape_logits_cuda(const Reshape& args, const StepRow* rows, int64_t n, CUstream_st* stream);

}  // namespace grpo::kernels
