#include "text/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "text/byte_level.h"
#include "text/regex.h"

namespace grpo::text {
namespace {

constexpr std::string_view kPreTokenizerWhere = "tokenizer.json pre_tokenizer";

/// What becomes of the matches of a Split.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

Behavior parse_behavior(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, Behavior>, 5> kNames{{{"Removed", Behavior::kRemoved},
                                                                         {"Isolated", Behavior::kIsolated},
                                                                         {"MergedWithPrevious", Behavior::kMergedWithPrevious},
                                                                         {"MergedWithNext", Behavior::kMergedWithNext},
                                                                         {"Contiguous", Behavior::kContiguous}}};
  for (const auto& [known, behavior] : kNames) {
    if (name == known) return behavior;
  }
  fail(kPreTokenizerWhere, "expected a supported behavior; got " + name);
}

struct Cut {
  Span span;
  bool match;
};

/// The whole text as alternating matches and stretches between them.
std::vector<Cut> cut(std::string_view text, const Regex& regex, bool invert) {
  std::vector<Cut> cuts;
  size_t at = 0;
  for (const Span& span : regex.find_all(text)) {
    if (at < span.begin) cuts.push_back({{at, span.begin}, invert});
    cuts.push_back({span, !invert});
    at = span.end;
  }
  if (at < text.size()) cuts.push_back({{at, text.size()}, invert});
  return cuts;
}

/// Joins each cut to the one before it where `joins(cut, whether the one before was a match)`.
template <typename Joins>
std::vector<Cut> join(const std::vector<Cut>& cuts, Joins joins) {
  std::vector<Cut> out;
  bool previous = false;
  for (const Cut& c : cuts) {
    if (!out.empty() && joins(c.match, previous)) {
      out.back().span = {std::min(out.back().span.begin, c.span.begin), std::max(out.back().span.end, c.span.end)};
    } else {
      out.push_back(c);
    }
    previous = c.match;
  }
  return out;
}

std::vector<Cut> apply(Behavior behavior, std::vector<Cut> cuts) {
  const auto lone_match = [](bool match, bool previous) { return match && !previous; };
  switch (behavior) {
    case Behavior::kIsolated:
      break;
    case Behavior::kRemoved:
      std::erase_if(cuts, [](const Cut& c) { return c.match; });
      break;
    case Behavior::kMergedWithPrevious:
      return join(cuts, lone_match);
    case Behavior::kMergedWithNext:
      std::reverse(cuts.begin(), cuts.end());
      cuts = join(cuts, lone_match);
      std::reverse(cuts.begin(), cuts.end());
      break;
    case Behavior::kContiguous:
      return join(cuts, [](bool match, bool previous) { return match == previous; });
  }
  return cuts;
}

PreTokenizer split(const std::string& pattern, Behavior behavior, bool invert = false) {
  return [regex = Regex(pattern), behavior, invert](std::vector<Piece>& pieces) {
    std::vector<Piece> out;
    for (const Piece& piece : pieces) {
      for (const Cut& c : apply(behavior, cut(piece.text, regex, invert))) {
        if (c.span.begin == c.span.end) continue;
        out.push_back({piece.text.substr(c.span.begin, c.span.end - c.span.begin), piece.at_start && c.span.begin == 0});
      }
    }
    pieces = std::move(out);
  };
}

size_t total_bytes(const std::vector<Piece>& pieces) {
  return std::accumulate(pieces.begin(), pieces.end(), size_t{0}, [](size_t sum, const Piece& piece) { return sum + piece.text.size(); });
}

PreTokenizer sequence(std::vector<PreTokenizer> parts) {
  return [parts = std::move(parts)](std::vector<Piece>& pieces) {
    const size_t limit = grown_limit(total_bytes(pieces));
    for (const PreTokenizer& part : parts) {
      part(pieces);
      GRPO_CHECK(total_bytes(pieces) <= limit, kPreTokenizerWhere,
                 "expected a text to keep its length about; got a sequence that multiplies it");
    }
  };
}

PreTokenizer parse_byte_level(const Json& json) {
  std::vector<PreTokenizer> parts;
  if (bool_member(json, "add_prefix_space", kPreTokenizerWhere, true)) {
    parts.push_back([](std::vector<Piece>& pieces) {
      for (Piece& piece : pieces) {
        if (!piece.text.starts_with(' ')) piece.text.insert(0, 1, ' ');
      }
    });
  }
  if (bool_member(json, "use_regex", kPreTokenizerWhere, true)) parts.push_back(split(std::string(kGpt2Pattern), Behavior::kIsolated));
  parts.push_back([](std::vector<Piece>& pieces) {
    for (Piece& piece : pieces) piece.text = bytes_to_alphabet(piece.text);
  });
  return sequence(std::move(parts));
}

PreTokenizer parse_metaspace(const Json& json) {
  const std::string replacement = string_member(json, "replacement", kPreTokenizerWhere);
  GRPO_CHECK(!replacement.empty(), kPreTokenizerWhere, "expected Metaspace's replacement to be a character; got nothing");
  const bool legacy = bool_member(json, "add_prefix_space", kPreTokenizerWhere, true);
  const std::string scheme = string_member(json, "prepend_scheme", kPreTokenizerWhere, legacy ? "always" : "never");
  GRPO_CHECK(scheme == "always" || scheme == "first" || scheme == "never", kPreTokenizerWhere,
             "expected a supported prepend_scheme; got " + scheme);
  std::vector<PreTokenizer> parts;
  parts.push_back([replacement, scheme](std::vector<Piece>& pieces) {
    for (Piece& piece : pieces) {
      piece.text = replace_all(piece.text, " ", replacement);
      const bool wanted = scheme == "always" || (scheme == "first" && piece.at_start);
      if (wanted && !piece.text.starts_with(replacement)) piece.text.insert(0, replacement);
    }
  });
  if (bool_member(json, "split", kPreTokenizerWhere, true)) parts.push_back(split(Regex::escape(replacement), Behavior::kMergedWithNext));
  return sequence(std::move(parts));
}

PreTokenizer parse_pre_tokenizer_sequence(const Json& json, int depth) {
  std::vector<PreTokenizer> parts;
  for (const Json& part : array_member(json, "pretokenizers", kPreTokenizerWhere)) parts.push_back(parse_pre_tokenizer(part, depth + 1));
  return sequence(std::move(parts));
}

}  // namespace

PreTokenizer parse_pre_tokenizer(const Json& json, int depth) {
  if (json.is_null()) return sequence({});
  GRPO_CHECK(depth <= kMaxNesting, kPreTokenizerWhere, "expected at most 32 nested sequences; got more");
  const std::string type = string_member(json, "type", kPreTokenizerWhere);
  if (type == "Sequence") return parse_pre_tokenizer_sequence(json, depth);
  if (type == "ByteLevel") return parse_byte_level(json);
  if (type == "Metaspace") return parse_metaspace(json);
  if (type == "Digits") {
    return split("\\p{N}", bool_member(json, "individual_digits", kPreTokenizerWhere, false) ? Behavior::kIsolated : Behavior::kContiguous);
  }
  if (type == "Split") {
    return split(pattern_member(json, kPreTokenizerWhere), parse_behavior(string_member(json, "behavior", kPreTokenizerWhere)),
                 bool_member(json, "invert", kPreTokenizerWhere, false));
  }
  if (type == "Punctuation") {
    return split("[\\p{P}$+<=>^`|~]", parse_behavior(string_member(json, "behavior", kPreTokenizerWhere, "Isolated")));
  }
  if (type == "WhitespaceSplit") return split("\\s", Behavior::kRemoved);
  if (type == "Whitespace") return split(R"([\w\x{200c}\x{200d}]+|[^\w\x{200c}\x{200d}\s]+)", Behavior::kRemoved, true);
  fail(kPreTokenizerWhere, "expected a supported type; got " + type);
}

}  // namespace grpo::text
