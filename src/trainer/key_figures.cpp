#include "trainer/key_figures.h"

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace grpo {
namespace {

// The most important first: where a terminal is narrow, the last ones are left out.
constexpr std::string_view kThroughput = "tok/s";
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kShown = {{{"reward", "reward"},
                                                                                  {"completions/mean_length", "length"},
                                                                                  {kThroughput, kThroughput},
                                                                                  {"rewards/accuracy/mean", "accuracy"},
                                                                                  {"loss", "loss"},
                                                                                  {"grad_norm", "grad"}}};

std::string three_digits(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return buffer;
}

std::string throughput(double rate) {
  return rate < 1000.0 ? three_digits(rate) : rate < 1e6 ? three_digits(rate / 1e3) + "k" : three_digits(rate / 1e6) + "M";
}

}  // namespace

std::string KeyFigures::after(const Metrics& step) {
  for (const auto& [name, value] : step) last_[name] = value;
  if (const auto time = step.find("step_time"); time != step.end()) seconds_ += time->second;
  const auto tokens = last_.find("num_tokens");
  if (tokens != last_.end() && seconds_ > 0.0) last_[std::string(kThroughput)] = (tokens->second - tokens_before_) / seconds_;
  std::string text;
  for (const auto& [name, label] : kShown) {
    const auto found = last_.find(std::string(name));
    if (found == last_.end()) continue;
    if (!text.empty()) text += "  ";
    const std::string unit(label);
    text += name == kThroughput ? throughput(found->second) + " " + unit : unit + " " + three_digits(found->second);
  }
  return text;
}

}  // namespace grpo
