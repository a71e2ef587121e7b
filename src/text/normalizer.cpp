#include "text/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "text/regex.h"

namespace grpo::text {
namespace {

constexpr std::string_view kNormalizerWhere = "tokenizer.json normalizer";

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

std::string unicode_form(std::string_view text, int options) {
  if (is_ascii(text)) return std::string(text);
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(mapped, &std::free);
  GRPO_CHECK(size >= 0, kNormalizerWhere, std::string("expected text that can be normalized; got ") + utf8proc_errmsg(size));
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(size)};
}

std::string lowercase(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = next_character(text, at);
    if (step.code == 0x130) {
      out += "i\xCC\x87";  // the one letter whose lower case is two characters
    } else {
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(step.code))));
    }
    at += step.length;
  }
  return out;
}

std::string strip(std::string_view text, bool left, bool right) {
  size_t begin = text.size(), end = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = next_character(text, at);
    if (!is_white_space(step.code)) {
      begin = std::min(begin, at);
      end = at + step.length;
    }
    at += step.length;
  }
  if (!left) begin = 0;
  if (!right) end = text.size();
  return std::string(begin < end ? text.substr(begin, end - begin) : std::string_view());
}

std::string replace_matches(std::string_view text, const Regex& regex, const std::string& content) {
  std::string out;
  size_t at = 0;
  for (const Span& span : regex.find_all(text)) {
    out.append(text.substr(at, span.begin - at)).append(content);
    at = span.end;
  }
  return out.append(text.substr(at));
}

Normalizer parse_replace(const Json& json) {
  return [regex = Regex(pattern_member(json, kNormalizerWhere)), content = string_member(json, "content", kNormalizerWhere)](
             std::string_view text) { return replace_matches(text, regex, content); };
}

Normalizer parse_normalizer_sequence(const Json& json, int depth) {
  std::vector<Normalizer> parts;
  for (const Json& part : array_member(json, "normalizers", kNormalizerWhere)) {
    if (Normalizer normalizer = parse_normalizer(part, depth + 1)) parts.push_back(std::move(normalizer));
  }
  return [parts = std::move(parts)](std::string_view text) {
    std::string out(text);
    for (const Normalizer& part : parts) {
      out = part(out);
      GRPO_CHECK(out.size() <= grown_limit(text.size()), kNormalizerWhere,
                 "expected a text to keep its length about; got a sequence that multiplies it");
    }
    return out;
  };
}

Normalizer form(int options) {
  return [options](std::string_view text) { return unicode_form(text, options); };
}

}  // namespace

Normalizer parse_normalizer(const Json& json, int depth) {
  if (json.is_null()) return nullptr;
  GRPO_CHECK(depth <= kMaxNesting, kNormalizerWhere, "expected at most 32 nested sequences; got more");
  const std::string type = string_member(json, "type", kNormalizerWhere);
  if (type == "Sequence") return parse_normalizer_sequence(json, depth);
  if (type == "Replace") return parse_replace(json);
  if (type == "NFC") return form(UTF8PROC_COMPOSE);
  if (type == "NFD") return form(UTF8PROC_DECOMPOSE);
  if (type == "NFKC") return form(UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  if (type == "NFKD") return form(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  if (type == "Lowercase") return [](std::string_view text) { return lowercase(text); };
  if (type == "Prepend") {
    return [prefix = string_member(json, "prepend", kNormalizerWhere)](std::string_view text) {
      return text.empty() ? std::string() : prefix + std::string(text);
    };
  }
  if (type == "Strip") {
    return [left = bool_member(json, "strip_left", kNormalizerWhere, true),
            right = bool_member(json, "strip_right", kNormalizerWhere, true)](std::string_view text) { return strip(text, left, right); };
  }
  fail(kNormalizerWhere, "expected a supported type; got " + type);
}

}  // namespace grpo::text
