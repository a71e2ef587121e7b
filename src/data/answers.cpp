#include "data/answers.h"

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using json = nlohmann::ordered_json;

std::string read_answer(const json& value, const std::string& where, std::string_view place) {
  if (value.is_number() || is_big_integer(value)) return to_text(value);
  if (!value.is_string()) fail("answer", std::string(place) + ": expected text or a number in " + where + "; got " + type_name(value));
  return value.get<std::string>();
}

}  // namespace

void read_answers(const json& value, const std::string& column, std::string_view place, Problem& problem) {
  const std::string name = "'" + column + "'";
  if (!value.is_array()) {
    problem.answer = read_answer(value, name, place);
    return;
  }
  GRPO_CHECK(!value.empty(), "answer", std::string(place) + ": expected at least one right answer in " + name + "; got an empty list");
  for (const json& item : value) {
    std::string answer = read_answer(item, "the list " + name, place);
    GRPO_CHECK(!trim(answer).empty(), "answer",
               std::string(place) + ": expected right answers in the list " + name + "; got an empty text");
    if (&item == &value.front()) {
      problem.answer = std::move(answer);
    } else {
      problem.further_answers.push_back(std::move(answer));
    }
  }
}

}  // namespace grpo
