#include "report/headline.h"

#include <algorithm>
#include <optional>

#include "report/html.h"
#include "report/series.h"

namespace grpo::report {
namespace {

constexpr std::string_view kPrefix = "eval_", kGreedy = "_greedy";
constexpr size_t kMostTiles = 12;

bool is_share(std::string_view metric) {
  return metric.substr(0, 8) == "accuracy" || metric == "format" || metric == "clipped_ratio" || metric.substr(0, 5) == "pass@";
}

std::string title_of(std::string_view metric) {
  if (metric == "clipped_ratio") return "Cut off at the limit";
  if (metric == "mean_length") return "Mean length, tokens";
  if (metric.substr(0, 5) == "pass@") return std::string(metric);
  std::string title(metric);
  std::replace(title.begin(), title.end(), '_', ' ');
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

std::string change(const Series& series, bool share, const char* open, const char* close) {
  const auto text = [share](double value) { return share ? percent(value) : figure(value); };
  if (series.size() == 1) return text(series.front().value);
  return open + text(series.front().value) + " →" + close + " " + text(series.back().value);
}

std::string tile(const std::string& title, const std::string& value, const std::string& more) {
  return "<div class=\"tile\"><div class=\"label\">" + escape(title) + "</div><div class=\"value\">" + value + "</div>" +
         (more.empty() ? "" : "<div class=\"more\">" + more + "</div>") + "</div>";
}

bool same_values(const Series& a, const Series& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Point& x, const Point& y) { return x.value == y.value; });
}

/// The evaluated metrics without their prefix and without the greedy twins: accuracy, pass@k, other rewards, lengths.
std::vector<std::string> evaluated_metrics(const Run& run) {
  std::vector<std::string> names;
  for (const auto& [name, series] : run.series) {
    if (name.rfind(kPrefix, 0) != 0 || name == "eval_seconds" || name == "eval_samples" || name.ends_with(kGreedy)) continue;
    if (name == "eval_pass@1" && same_values(series, run.of("eval_accuracy"))) continue;
    names.push_back(name.substr(kPrefix.size()));
  }
  const auto rank = [](const std::string& name) {
    if (name == "accuracy") return 0;
    if (name.rfind("pass@", 0) == 0) return 1;
    return name == "mean_length" || name == "clipped_ratio" ? 3 : 2;
  };
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  if (names.size() > kMostTiles) names.resize(kMostTiles);
  return names;
}

std::string evaluation_tiles(const Run& run) {
  std::string html;
  for (const std::string& name : evaluated_metrics(run)) {
    const std::string metric = std::string(kPrefix) + name;
    const Series& greedy = run.of(metric + std::string(kGreedy));
    html += tile(title_of(name), change(run.of(metric), is_share(name), "<s>", "</s>"),
                 greedy.empty() ? "" : "greedy " + change(greedy, is_share(name), "", ""));
  }
  return html;
}

std::string training_tiles(const Run& run) {
  std::string html;
  for (const auto& [metric, title] : {std::pair("reward", "Reward"), std::pair("rewards/accuracy/mean", "Accuracy reward"),
                                      std::pair("completions/mean_length", "Mean length, tokens"), std::pair("loss", "Loss"),
                                      std::pair("entropy", "Entropy, nats per token")}) {
    const bool of_rewards = !run.of("reward").empty();
    if (run.of(metric).empty() || (of_rewards && std::string_view(metric) == "loss")) continue;
    const Series smooth = moving_average(run.of(metric), average_window(run.of(metric).size()), 200);
    html += tile(title, change(smooth, false, "<s>", "</s>"), "in training");
  }
  return html;
}

/// Seconds of training and evaluation. A line's step time is the mean over the steps since the line before.
std::optional<double> wall_time(const Run& run) {
  const Series& times = run.of("step_time");
  if (times.empty()) return std::nullopt;
  double seconds = 0.0;
  for (size_t i = 0; i < times.size(); ++i) {
    const double before = i > 0 ? times[i - 1].step : times.size() > 1 ? std::max(0.0, 2.0 * times[0].step - times[1].step) : 0.0;
    seconds += times[i].value * (times[i].step - before);
  }
  for (const Point& p : run.of("eval_seconds")) seconds += p.value;
  return seconds;
}

}  // namespace

std::string headline(const Run& run) {
  std::string tiles = evaluation_tiles(run);
  if (tiles.empty()) tiles = training_tiles(run);
  std::string facts = "<span>Steps <b>" + fixed(run.last_step, 0) + "</b></span>";
  if (const auto seconds = wall_time(run)) facts += "<span>Wall time <b>" + duration(*seconds) + "</b></span>";
  if (const Series& tokens = run.of("num_tokens"); !tokens.empty()) {
    facts += std::string("<span>Tokens ") + (run.of("reward").empty() ? "seen" : "generated") + " <b>" + figure(tokens.back().value) +
             "</b></span>";
  }
  if (const Series& accuracy = run.of("eval_accuracy"); accuracy.size() > 1) {
    facts += "<span>Evaluated before and after: steps <b>" + fixed(accuracy.front().step, 0) + "</b> and <b>" +
             fixed(accuracy.back().step, 0) + "</b></span>";
  }
  return "<div class=\"tiles\">" + tiles + "</div><div class=\"facts\">" + facts + "</div>\n";
}

}  // namespace grpo::report
