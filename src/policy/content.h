#pragma once

#include <string>
#include <vector>

#include "grpo/data/types.h"
#include "grpo/model/arena.h"

namespace grpo {

class Tokenizer;

// By what a run and an evaluation know again what they were made of: a hash, with a count if there is one.
std::string content_of(const std::vector<Problem>& problems);
/// Of the weights, wherever they are.
std::string content_of(const std::vector<ParameterArena*>& arenas);
std::string content_of(const Tokenizer& tokenizer);

}  // namespace grpo
