#pragma once

#include <string>
#include <vector>

#include "jinja/context.h"

namespace grpo::jinja {

enum class TokenKind { kText, kOutputBegin, kOutputEnd, kBlockBegin, kBlockEnd, kName, kString, kInteger, kReal, kOperator, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a string: its value, escapes resolved; of a number: its digits
  Position at;
};

/// Cuts a template into tokens, the last of them kEnd, with trim_blocks and lstrip_blocks on. Throws `Error` with line and column.
std::vector<Token> tokenize(const std::string& source);

}  // namespace grpo::jinja
