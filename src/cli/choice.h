#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace grpo::cli {

/// An option that takes one of some words; --help, errors and shell completion show them. `initial` is the number of its default.
CLI::Option* add_words(CLI::App& command, const std::string& name, const std::vector<std::string>& words, size_t initial,
                       const std::function<void(size_t)>& choose, const std::string& help);

/// The words that such an option takes; none if it is no such option.
std::vector<std::string> words_of(const CLI::Option& option);

/// The same for a value that the words stand for; its value now is the default.
template <class T>
CLI::Option* add_choice(CLI::App& command, const std::string& name, T& target, const std::vector<std::pair<std::string, T>>& choices,
                        const std::string& help) {
  std::vector<std::string> words;
  size_t initial = 0;
  for (const auto& [word, value] : choices) {
    if (value == target) initial = words.size();
    words.push_back(word);
  }
  return add_words(
      command, name, words, initial, [&target, choices](size_t i) { target = choices[i].second; }, help);
}

}  // namespace grpo::cli
