#include "text/post_processor.h"

#include <string>

#include "grpo/core/error.h"

namespace grpo::text {
namespace {

constexpr std::string_view kPostProcessorWhere = "tokenizer.json post_processor";

PostProcessor parse_template(const Json& json) {
  PostProcessor result;
  int sequences = 0;
  for (const Json& part : array_member(json, "single", kPostProcessorWhere)) {
    if (!optional_member(part, "Sequence").is_null()) {
      ++sequences;
      continue;
    }
    const std::string name = string_member(member(part, "SpecialToken", kPostProcessorWhere), "id", kPostProcessorWhere);
    const Json& token = member(member(json, "special_tokens", kPostProcessorWhere), name, kPostProcessorWhere);
    for (const Json& id : array_member(token, "ids", kPostProcessorWhere)) {
      (sequences == 0 ? result.before : result.after).push_back(token_id(id, kPostProcessorWhere));
    }
  }
  GRPO_CHECK(sequences == 1, kPostProcessorWhere, "expected a template with the text once; got it " + std::to_string(sequences) + " times");
  return result;
}

int32_t parse_pair(const Json& json, const std::string& key) {
  const Json& pair = array_member(json, key, kPostProcessorWhere);
  GRPO_CHECK(pair.size() == 2, kPostProcessorWhere,
             "expected \"" + key + "\" to be [text, id]; got " + std::to_string(pair.size()) + " elements");
  return token_id(pair[1], kPostProcessorWhere);
}

PostProcessor parse_post_processor_sequence(const Json& json, int depth) {
  PostProcessor result;
  for (const Json& part : array_member(json, "processors", kPostProcessorWhere)) {
    const PostProcessor outer = parse_post_processor(part, depth + 1);
    result.before.insert(result.before.begin(), outer.before.begin(), outer.before.end());
    result.after.insert(result.after.end(), outer.after.begin(), outer.after.end());
  }
  return result;
}

}  // namespace

PostProcessor parse_post_processor(const Json& json, int depth) {
  if (json.is_null()) return {};
  GRPO_CHECK(depth <= kMaxNesting, kPostProcessorWhere, "expected at most 32 nested sequences; got more");
  const std::string type = string_member(json, "type", kPostProcessorWhere);
  if (type == "ByteLevel") return {};  // it moves offsets only, and ids have none
  if (type == "TemplateProcessing") return parse_template(json);
  if (type == "RobertaProcessing" || type == "BertProcessing") return {{parse_pair(json, "cls")}, {parse_pair(json, "sep")}};
  if (type == "Sequence") return parse_post_processor_sequence(json, depth);
  fail(kPostProcessorWhere, "expected a supported type; got " + type);
}

}  // namespace grpo::text
