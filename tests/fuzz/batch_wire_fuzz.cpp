// What an isolated reward's process is told and says: bytes that are none give an Error and nothing else, others survive a second trip.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "grpo/core/error.h"
#include "reward/batch_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const grpo::BatchMessage batch = grpo::read_batch(bytes);
    const std::string once = grpo::batch_bytes(batch.completions, batch.context);
    const grpo::BatchMessage again = grpo::read_batch(once);
    if (grpo::batch_bytes(again.completions, again.context) != once) std::abort();
  } catch (const grpo::Error&) {
  }
  std::vector<grpo::Score> scores(size > 0 ? data[size - 1] % 4 : 0);
  try {
    grpo::RewardContext context;
    grpo::read_verdicts(bytes, scores, context);
  } catch (const grpo::Error&) {
  }
  return 0;
}
