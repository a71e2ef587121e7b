#include "cli/choice.h"

#include <algorithm>
#include <cctype>

#include "grpo/core/error.h"
#include "grpo/core/nearest.h"

namespace grpo::cli {
namespace {

constexpr char kBetweenWords = '|';

std::string as_list(const std::vector<std::string>& words) {
  std::string text = words.front();
  for (size_t i = 1; i < words.size(); ++i) text += (i + 1 < words.size() ? ", " : " or ") + words[i];
  return text;
}

}  // namespace

CLI::Option* add_words(CLI::App& command, const std::string& name, const std::vector<std::string>& words, size_t initial,
                       const std::function<void(size_t)>& choose, const std::string& help) {
  const auto read = [name, words, choose](const std::string& word) {
    const auto found = std::ranges::find(words, word);
    if (found == words.end()) fail_usage(name, "expected " + as_list(words) + "; got '" + word + "'" + did_you_mean(word, words));
    choose(static_cast<size_t>(found - words.begin()));
  };
  std::string type;
  for (const auto& word : words) type += (type.empty() ? "" : std::string(1, kBetweenWords)) + word;
  return command.add_option_function<std::string>(name, read, help)->type_name(type)->default_str(words[initial]);
}

std::vector<std::string> words_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const bool words = !type.empty() && (std::islower(static_cast<unsigned char>(type.front())) != 0);  // other types are TEXT, PATH, …
  return words ? CLI::detail::split(type, kBetweenWords) : std::vector<std::string>();
}

}  // namespace grpo::cli
