#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// One turn of a conversation.
struct Message {
  std::string role;     // "system", "user", "assistant", "tool"
  std::string content;  // UTF-8
  /// Further members for the chat template as a JSON object: {"tool_calls": […], "name": "…"}. A `content` among them, a list of parts or
  /// null, stands there instead of the text above.
  std::string members = {};

  bool operator==(const Message&) const = default;
};

/// A problem with a verifiable answer, as a dataset or a generated task gives it.
struct Problem {
  int64_t index = 0;                          // within its dataset: part of the random key
  std::string question;                       // UTF-8, before any prompt template
  std::vector<Message> messages;              // instead of `question` if the data is conversational
  std::string answer;                         // the reference answer, the first of several; empty if there is none
  std::string solution;                       // a worked solution, for supervised training; may be empty
  std::map<std::string, std::string> fields;  // every further field by name: strings as they are, other values as JSON text
  std::set<std::string> json_fields = {};     // the names of those fields that are JSON text
  std::string tools = {};                     // for the chat template: a JSON array; empty if there are none
  std::string chat_template_kwargs = {};      // further variables of the chat template: a JSON object; may be empty
  /// Right answers beside `answer`.
  std::vector<std::string> further_answers = {};

  /// All right answers, `answer` first; empty if there is none.
  std::vector<std::string> answers() const;
};

/// Why a completion ended.
enum class FinishReason {
  kStop,        // a stop id was sampled (it is the last id)
  kStopString,  // the text came to contain a stop string (its tokens are kept)
  kLength,      // max_completion_length or the model's context was reached: truncated
  kPaused,      // it has not: to be gone on with in a later call
  kCancelled,   // it has not: the call was interrupted
};
std::string_view to_string(FinishReason reason);

/// A sampled completion as tokens: what is trained on. Ids are never decoded and encoded again.
struct Rollout {
  int64_t problem = 0;                    // Problem::index
  int64_t group = 0;                      // which prompt of the batch it answers; a group's rollouts are adjacent
  int64_t sample = 0;                     // number within the group, 0 … G-1
  std::vector<int32_t> prompt_ids;        //
  std::vector<int32_t> ids;               // the completion, stop id or stop string's tokens included
  std::vector<float> logprobs;            // nats, one per id: log p under softmax(logits / temperature)
  std::vector<float> processed_logprobs;  // nats, one per id: under the distribution that was really sampled (top-k, … applied)
  FinishReason finish = FinishReason::kLength;
  int64_t weights_version = 0;  // version of the weights that sampled its first token, as the engine counts it
};

/// What a reward sees of one rollout.
struct Completion {
  const Problem* problem = nullptr;  // never null while scoring
  std::string prompt;                // the text after the template
  std::string text;                  // decoded completion, special tokens skipped
  std::vector<int32_t> ids;
  FinishReason finish = FinishReason::kStop;
  int64_t sample = 0;  // number within the group
};

}  // namespace grpo
