#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "grpo/policy/experience.h"

namespace grpo {

/// Adds the sample's scores by function to a line of a log, as `rewards`, null where there is no verdict, and their kinds as `verdicts`.
void add_scores(nlohmann::ordered_json& line, const std::vector<std::string>& functions, const Sample& sample);

}  // namespace grpo
