#include "report/verdicts.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "report/html.h"

namespace grpo::report {
namespace {

constexpr size_t kKindsShown = 12;

/// Of a function, the most frequent first.
using Kinds = std::vector<std::pair<std::string, double>>;

/// From the figures rewards/<function>/verdicts/<kind>, summed over the run.
std::map<std::string, Kinds> kinds_by_function(const Run& run) {
  constexpr std::string_view kRewards = "rewards/", kVerdicts = "/verdicts/";
  std::map<std::string, Kinds> functions;
  for (const auto& [name, series] : run.series) {
    const size_t at = name.find(kVerdicts);
    if (!name.starts_with(kRewards) || at == std::string::npos) continue;
    double count = 0.0;
    for (const Point& point : series) count += std::max(point.value, 0.0);
    functions[name.substr(kRewards.size(), at - kRewards.size())].emplace_back(name.substr(at + kVerdicts.size()), count);
  }
  for (auto& [name, kinds] : functions) std::ranges::stable_sort(kinds, [](const auto& a, const auto& b) { return a.second > b.second; });
  return functions;
}

std::string colour_of(const std::string& kind) { return kind == "right" ? "good" : kind == "unreadable gold" ? "warn" : "soft"; }

std::string bars(const std::string& function, const Kinds& kinds) {
  double all = 0.0;
  for (const auto& [kind, count] : kinds) all += count;
  std::string html =
      "<figure class=\"verdicts\"><h3>" + escape(shortened(function, 80)) + " <small>" + figure(all) + " verdicts</small></h3>";
  for (size_t i = 0; i < std::min(kinds.size(), kKindsShown); ++i) {
    const auto& [kind, count] = kinds[i];
    const double share = all > 0.0 ? count / all : 0.0;
    html += "<div class=\"kind " + colour_of(kind) + "\"><span>" + escape(shortened(kind, 80)) +
            "</span><i><b style=\"width:" + fixed(100.0 * share, 2) + "%\"></b></i><span>" + figure(count) + "</span><span>" +
            percent(share) + "</span></div>";
  }
  if (kinds.size() > kKindsShown) html += "<p>and " + std::to_string(kinds.size() - kKindsShown) + " rarer kinds</p>";
  return html + "</figure>";
}

std::string unreadable_box(const Run& run) {
  std::string html;
  for (const UnreadableGolds& golds : run.unreadable) {
    html += "<p><b>" + escape(golds.function) + ": " + figure(golds.unreadable) + " of " + figure(golds.problems) + " problems (" +
            escape(golds.data) +
            ") have a right answer that cannot be read.</b> They get no verdict, and nothing is learnt from them.</p><ul>";
    for (const auto& example : golds.examples)
      html +=
          "<li>problem " + fixed(example.problem, 0) + ": <code>" + escape(example.gold) + "</code> " + escape(example.reason) + "</li>";
    html += "</ul>";
  }
  return html.empty() ? "" : "<div class=\"warning\" role=\"note\"><h2>Right answers that cannot be read</h2>" + html + "</div>\n";
}

std::string misses_table(const Run& run) {
  if (run.near_misses.empty()) return "";
  std::string html =
      "<h3 class=\"misses\">Rejected, though they look like the right answer <small>the nearest first: is a rule too strict?</small></h3>"
      "<div class=\"wide\"><table><thead><tr><th>Right answer</th><th>Given</th><th>Times</th><th>Steps</th><th>Problem</th><th>Reward</th>"
      "<th>Reason</th></tr></thead><tbody>";
  for (const NearMiss& miss : run.near_misses) {
    html += "<tr><td><code>" + escape(miss.gold) + "</code></td><td><code>" + escape(miss.given) + "</code></td><td>" + figure(miss.count) +
            "</td><td>" + fixed(miss.first_step, 0) + (miss.last_step > miss.first_step ? "–" + fixed(miss.last_step, 0) : "") +
            "</td><td>" + fixed(miss.problem, 0) + "</td><td>" + escape(miss.function) + "</td><td>" + escape(miss.reason) + "</td></tr>";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string verdicts_section(const Run& run) {
  std::string charts;
  for (const auto& [function, kinds] : kinds_by_function(run)) charts += bars(function, kinds);
  const std::string html = unreadable_box(run) + (charts.empty() ? "" : "<div class=\"charts\">" + charts + "</div>\n") + misses_table(run);
  return html.empty() ? "" : "<section><h2>Verdicts <small>of all samples of the run, by kind</small></h2>" + html + "</section>\n";
}

}  // namespace grpo::report
