#include "grpo/data/types.h"

namespace grpo {

std::string_view to_string(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kStopString:
      return "stop_string";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kPaused:
      return "paused";
  }
  return "unknown";
}

}  // namespace grpo
