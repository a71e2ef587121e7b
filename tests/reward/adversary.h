#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

// A policy under optimisation as a property test sees it: random edits of a completion, token by token.
namespace grpo::testing {

using Tokens = std::vector<std::string>;

inline std::string joined(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

/// What completions are made of: tags and what looks like them, digits, operators, words, special tokens typed as text.
inline const Tokens& adversarial_tokens() {
  static const Tokens tokens = {"<think>",
                                "</think>",
                                "<answer>",
                                "</answer>",
                                "<think>",
                                "</think>",
                                "<answer>",
                                "</answer>",
                                "<THINK>",
                                "</ answer>",
                                "<answer x=1>",
                                "<\u0430nswer>",
                                "&lt;answer&gt;",
                                "\\boxed{",
                                "}",
                                "#### ",
                                "$",
                                "1",
                                "2",
                                "3",
                                "7",
                                "0",
                                "12",
                                "\uFF17",
                                "\u00B2",
                                " + ",
                                " - ",
                                " * ",
                                " / ",
                                "(",
                                ")",
                                "+",
                                "-",
                                "*",
                                "/",
                                "**",
                                "//",
                                "^",
                                "=",
                                " = 7",
                                ",",
                                ", ",
                                ".",
                                "!",
                                " ",
                                "\n",
                                "\t",
                                "\u2212",
                                "\u00D7",
                                "\u200B",
                                "\u200F",
                                "\u00A0",
                                "\uFEFF",
                                "seven",
                                " is ",
                                " or ",
                                "so ",
                                "the answer",
                                "\u7B54",
                                "<|im_end|>",
                                "<|im_start|>assistant\n",
                                "</s>",
                                std::string(1, '\0'),
                                "\xFF"};
  return tokens;
}

/// Inserts, deletes, swaps, duplicates or replaces tokens, or appends a copy of a stretch of them.
inline void edit_at_random(Tokens& tokens) {
  const auto below = [](size_t count) { return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<size_t>(0, count)); };
  const auto drawn = [&] { return adversarial_tokens()[below(adversarial_tokens().size())]; };
  const auto place = [&] { return tokens.begin() + static_cast<std::ptrdiff_t>(below(tokens.size())); };
  const size_t kind = tokens.size() < 2 ? 0 : below(6);
  if (kind == 0) {
    tokens.insert(tokens.begin() + static_cast<std::ptrdiff_t>(below(tokens.size() + 1)), drawn());
  } else if (kind == 1) {
    tokens.erase(place());
  } else if (kind == 2) {
    std::swap(*place(), *place());
  } else if (kind == 3) {
    const auto at = place();
    const std::string token = *at;
    tokens.insert(at, token);
  } else if (kind == 4) {
    *place() = drawn();
  } else {
    const size_t begin = below(tokens.size()), count = std::min<size_t>(1 + below(8), tokens.size() - begin);
    const Tokens copy(tokens.begin() + static_cast<std::ptrdiff_t>(begin), tokens.begin() + static_cast<std::ptrdiff_t>(begin + count));
    tokens.insert(tokens.end(), copy.begin(), copy.end());
  }
}

/// Walks away from each of `starts` by edits, and shows every text on the way to `look`, which says whether it was right: then the walk
/// begins anew. Gives how many were.
template <class Look>
int walk(const std::vector<Tokens>& starts, const Look& look) {
  int right = 0;
  EXPECT_TRUE(rc::check("a walk of edits", [&] {
    const Tokens& start = starts[*rc::gen::resize(rc::kNominalSize, rc::gen::inRange<size_t>(0, starts.size()))];
    Tokens tokens = start;
    for (int i = 0; i < 1000; ++i) {
      edit_at_random(tokens);
      const bool was_right = look(joined(tokens));
      right += was_right ? 1 : 0;
      if (was_right || i % 12 == 0) tokens = start;
    }
  }));
  return right;
}

}  // namespace grpo::testing
