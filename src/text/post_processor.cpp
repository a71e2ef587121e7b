#include "text/post_processor.h"

#include <string>

#include "grpo/core/error.h"

namespace grpo::text {
namespace {

constexpr std::string_view kWhere = "tokenizer.json post_processor";

PostProcessor parse_template(const Json& json) {
  PostProcessor result;
  int sequences = 0;
  for (const Json& part : array_member(json, "single", kWhere)) {
    if (!optional_member(part, "Sequence").is_null()) {
      ++sequences;
      continue;
    }
    const std::string name = string_member(member(part, "SpecialToken", kWhere), "id", kWhere);
    const Json& token = member(member(json, "special_tokens", kWhere), name, kWhere);
    for (const Json& id : array_member(token, "ids", kWhere)) {
      (sequences == 0 ? result.before : result.after).push_back(token_id(id, kWhere));
    }
  }
  GRPO_CHECK(sequences == 1, kWhere, "expected a template with the text once; got it " + std::to_string(sequences) + " times");
  return result;
}

int32_t parse_pair(const Json& json, const std::string& key) {
  const Json& pair = array_member(json, key, kWhere);
  GRPO_CHECK(pair.size() == 2, kWhere, "expected \"" + key + "\" to be [text, id]; got " + std::to_string(pair.size()) + " elements");
  return token_id(pair[1], kWhere);
}

PostProcessor parse_sequence(const Json& json, int depth) {
  PostProcessor result;
  for (const Json& part : array_member(json, "processors", kWhere)) {
    const PostProcessor outer = parse_post_processor(part, depth + 1);
    result.before.insert(result.before.begin(), outer.before.begin(), outer.before.end());
    result.after.insert(result.after.end(), outer.after.begin(), outer.after.end());
  }
  return result;
}

}  // namespace

PostProcessor parse_post_processor(const Json& json, int depth) {
  if (json.is_null()) return {};
  GRPO_CHECK(depth <= kMaxNesting, kWhere, "expected at most 32 nested sequences; got more");
  const std::string type = string_member(json, "type", kWhere);
  if (type == "ByteLevel") return {};  // it moves offsets only, and ids have none
  if (type == "TemplateProcessing") return parse_template(json);
  if (type == "RobertaProcessing" || type == "BertProcessing") return {{parse_pair(json, "cls")}, {parse_pair(json, "sep")}};
  if (type == "Sequence") return parse_sequence(json, depth);
  fail(kWhere, "expected a supported type; got " + type);
}

}  // namespace grpo::text
