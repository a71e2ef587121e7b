#include "grpo/data/types.h"

namespace grpo {

std::vector<std::string> Problem::answers() const {
  std::vector<std::string> all;
  if (!answer.empty()) all.push_back(answer);
  all.insert(all.end(), further_answers.begin(), further_answers.end());
  return all;
}

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
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace grpo
