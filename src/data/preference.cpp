#include "grpo/data/preference.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "data/messages.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr std::string_view kPreferences = "preferences";

/// How many messages at the beginning are the prompt's.
size_t repeated_turns(const Problem& problem, const std::vector<Message>& answer) {
  std::vector<Message> prompt = problem.messages;
  if (prompt.empty()) prompt.push_back({"user", problem.question});
  const bool repeats = answer.size() >= prompt.size() && std::equal(prompt.begin(), prompt.end(), answer.begin());
  return repeats ? prompt.size() : 0;
}

}  // namespace

GivenAnswer given_answer(const Problem& problem, const std::string& column) {
  const std::string place = "problem " + std::to_string(problem.index);
  const auto found = problem.fields.find(column);
  GRPO_CHECK(found != problem.fields.end(), kPreferences, place + " has no column '" + column + "'");
  GRPO_CHECK(!found->second.empty(), kPreferences, place + ": expected text or messages in '" + column + "'; got an empty text");
  if (!problem.json_fields.contains(column)) return {found->second};
  const auto list = try_parse_json<nlohmann::ordered_json>(found->second);
  GRPO_CHECK(list.is_array() && !list.empty(), kPreferences,
             place + ": expected text or messages in '" + column + "'; got " + (list.is_array() ? "an empty list" : list.type_name()));
  std::vector<Message> messages = read_messages(list, place + ": " + column);
  messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(repeated_turns(problem, messages)));
  GRPO_CHECK(!messages.empty() && messages.front().role == "assistant", kPreferences,
             place + ": expected messages in '" + column + "' that go on from the prompt with role assistant; got " +
                 (messages.empty() ? "the prompt alone" : "role " + messages.front().role));
  return {.text = {}, .messages = std::move(messages)};
}

}  // namespace grpo
