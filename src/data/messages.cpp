#include "data/messages.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view kMessagesWhere = "messages";

[[noreturn]] void refuse_at(std::string_view place, const std::string& message) {
  fail(kMessagesWhere, std::string(place) + ": " + message);
}

/// The text in a list of parts.
std::string text_of(const json& parts, std::string_view place) {
  static constexpr std::array kMedia = {"image", "image_url", "video", "video_url", "audio", "audio_url", "input_audio"};
  std::string text;
  for (const json& part : parts) {
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string())
      refuse_at(place, "expected parts of a content with a type; got " + clip_text(to_text(part), 80));
    const auto type = part["type"].get<std::string>();
    if (std::ranges::find(kMedia, type) != kMedia.end()) refuse_at(place, "expected text in 'content'; got a part of type " + type);
    if (type != "text") continue;
    if (!part.contains("text") || !part["text"].is_string()) refuse_at(place, "expected text in a part of type text; got none");
    text += part["text"].get<std::string>();
  }
  return text;
}

Message read_message(const json& item, std::string_view place) {
  const auto refuse = [&] { refuse_at(place, "expected messages with role and content; got " + clip_text(to_text(item), 80)); };
  if (!item.is_object() || !item.contains("role") || !item["role"].is_string()) refuse();
  Message message{item["role"].get<std::string>(), {}};
  json members = json::object();
  for (const auto& [name, value] : item.items()) {
    if (name != "role" && name != "content" && !value.is_null()) members[name] = value;
  }
  const json content = item.contains("content") ? item["content"] : json();
  if (content.is_string()) {
    message.content = content.get<std::string>();
  } else if (content.is_array()) {
    message.content = text_of(content, place);
    members["content"] = content;
  } else if (content.is_null() && !members.empty()) {
    members["content"] = nullptr;
  } else {
    refuse();
  }
  if (!members.empty()) message.members = to_text(members);
  return message;
}

}  // namespace

std::vector<Message> read_messages(const json& list, std::string_view place) {
  std::vector<Message> messages;
  for (const json& item : list) messages.push_back(read_message(item, place));
  return messages;
}

bool is_reserved_variable(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kReserved = {"messages", "tools", "add_generation_prompt", "continue_final_message",
                                                                "chat_template"};
  return std::ranges::find(kReserved, name) != kReserved.end();
}

}  // namespace grpo
