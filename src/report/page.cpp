#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/io/atomic_file.h"
#include "report/chart.h"
#include "report/headline.h"
#include "report/html.h"
#include "report/page.h"
#include "report/report.h"
#include "report/run.h"
#include "report/samples.h"
#include "report/series.h"
#include "report/style.h"
#include "report/verdicts.h"
#include "report/warnings.h"

namespace grpo {
namespace report {
namespace {

/// The mean of each reward function, under its name.
std::vector<Line> reward_lines(const Run& run) {
  const std::string_view prefix = "rewards/", suffix = "/mean";
  std::vector<Line> lines = {{"reward", run.of("reward")}};
  for (const auto& [name, series] : run.series) {
    if (name.size() <= prefix.size() + suffix.size() || name.rfind(prefix, 0) != 0 || !name.ends_with(suffix)) continue;
    lines.push_back({name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()), series});
  }
  return lines;
}

std::vector<Line> accuracy_lines(const Run& run) {
  std::vector<Line> lines = {{"sampled", run.of("eval_accuracy")}, {"greedy", run.of("eval_accuracy_greedy")}};
  for (const auto& [name, series] : run.series) {
    const bool of_several = name.rfind("eval_pass@", 0) == 0 && name != "eval_pass@1" && !name.ends_with("_greedy");
    if (of_several) lines.push_back({name.substr(5), series});
  }
  return lines;
}

/// Seconds of the parts of a step at every step; a part that a step does without (it reuses a rollout) counts as zero there.
std::vector<Line> time_lines(const Run& run) {
  std::vector<Line> lines;
  for (const char* part : {"generate", "reward", "update"}) {
    const Series& times = run.of(std::string("time/") + part);
    if (times.empty()) continue;
    Line line{part, run.of("time/update")};
    for (Point& p : line.series) p.value = value_at(times, p.step, 0.0);
    lines.push_back(std::move(line));
  }
  if (lines.empty()) lines.push_back({"step", run.of("step_time")});
  return lines;
}

std::vector<Chart> charts_of(const Run& run) {
  const auto one = [&run](const char* name, const char* metric) { return std::vector<Line>{{name, run.of(metric)}}; };
  return {
      {.title = "Reward", .note = "Mean over the samples: the weighted sum, and each function by itself.", .lines = reward_lines(run)},
      {.title = "Evaluation accuracy",
       .note = "Share of held-out problems answered correctly.",
       .lines = accuracy_lines(run),
       .style = Style::kPoints,
       .percent = true},
      {.title = "Completion length",
       .note = "Tokens: the mean, in a band from the shortest to the longest.",
       .lines = one("mean", "completions/mean_length"),
       .low = run.of("completions/min_length"),
       .high = run.of("completions/max_length")},
      {.title = "Entropy", .note = "Nats per token: how much the model still explores.", .lines = one("entropy", "entropy")},
      {.title = "KL to the reference", .note = "Nats per token: how far the model went from where it began.", .lines = one("KL", "kl")},
      {.title = "Clipped and cut off",
       .note = "Tokens whose ratio left the trust region, and completions that hit the limit of tokens.",
       .lines = {{"clipped tokens", run.of("clip_ratio/region_mean")}, {"cut-off completions", run.of("completions/clipped_ratio")}},
       .percent = true},
      {.title = "Groups without variance",
       .note = "Share of problems whose samples all got the same reward: they teach nothing.",
       .lines = one("zero variance", "frac_reward_zero_std"),
       .percent = true},
      {.title = "Sampler–trainer gap",
       .note = "Difference of the log-probabilities that sampler and trainer give the same token.",
       .lines = {{"mean", run.of("sampling/sampling_logp_difference/mean")}, {"max", run.of("sampling/sampling_logp_difference/max")}},
       .log_scale = true},
      {.title = "Loss", .note = "What the optimiser minimises.", .lines = one("loss", "loss")},
      {.title = "Gradient norm", .note = "Before clipping.", .lines = one("norm", "grad_norm")},
      {.title = "Learning rate", .note = "As scheduled.", .lines = one("rate", "learning_rate"), .style = Style::kExact},
      {.title = "Time per step", .note = "Seconds.", .lines = time_lines(run), .style = Style::kStack},
  };
}

std::string subtitle(const Run& run) {
  const auto config = try_parse_json(run.config);
  std::string text(kind_of(run));
  if (!config.is_object()) return text;
  for (const char* path : {"/algorithm/objective", "/model/path", "/data/train/task", "/data/train/path"}) {
    const nlohmann::json::json_pointer pointer(path);
    if (!config.contains(pointer) || !config[pointer].is_string()) continue;
    if (const auto& value = config[pointer].get_ref<const std::string&>(); !value.empty()) text += " · " + shortened(value, 80);
  }
  return text;
}

std::string warning_box(const Run& run) {
  std::string html;
  for (const Warning& w : collapse_warnings(run)) html += "<p><b>" + escape(w.title) + ".</b> " + escape(w.explanation) + "</p>";
  return html.empty() ? "" : "<div class=\"warning\" role=\"note\"><h2>Signs of a collapse</h2>" + html + "</div>\n";
}

std::string changes_section(const Run& run) {
  std::string html;
  for (const auto& change : run.changes)
    html += "<li>after step " + figure(change.step) + ": " + escape(change.key) + " was " + escape(change.was) + ", then " +
            escape(change.now) + "</li>";
  return html.empty() ? ""
                      : "<section class=\"changes\"><h2>Settings that changed <small>dashed in the curves</small></h2><ul>" + html +
                            "</ul></section>\n";
}

std::string charts_section(const Run& run) {
  std::vector<double> marks;
  for (const auto& change : run.changes) {
    if (marks.empty() || marks.back() != change.step) marks.push_back(change.step);
  }
  std::string html;
  for (Chart& chart : charts_of(run)) html += draw(std::move(chart), run.first_step, run.last_step, marks);
  return html.empty() ? ""
                      : "<section><h2>Curves <small>thin: as logged; bold: moving average; figures: its last value</small></h2>"
                        "<div class=\"charts\">\n" +
                            html + "</div></section>\n";
}

std::string start_of(const std::string& name, const std::string& about) {
  const std::string title = escape(name);
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         title + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<main>\n<header><h1>" + title + "</h1><p>" + about +
         "</p></header>\n";
}

std::string end_of(const Live* live) {
  if (live == nullptr) return std::string("</main>\n<script>") + kScript + "</script>\n</body>\n</html>\n";
  return "</main>\n<div id=\"live\" role=\"status\" data-version=\"" + escape(live->version) + "\">live</div>\n<script nonce=\"" +
         live->nonce + "\">" + kScript + kLiveScript + "</script>\n</body>\n</html>\n";
}

}  // namespace

std::string page(const Run& run, const Live* live) {
  std::string html = start_of(run.name, escape(subtitle(run)));
  html += headline(run) + warning_box(run) + charts_section(run) + changes_section(run) + verdicts_section(run) + samples_section(run);
  if (!run.config.empty()) html += "<details><summary>Configuration</summary><pre>" + escape(run.config) + "</pre></details>\n";
  html += "<footer>Written by libgrpo from metrics.jsonl, completions.jsonl, verdicts.json and config.json.";
  if (run.undefined_values > 0) html += " " + std::to_string(run.undefined_values) + " undefined values in the log are left out.";
  return html + "</footer>\n" + end_of(live);
}

std::string waiting_page(const std::string& name, const std::string& why, const Live& live) {
  return start_of(name, "Waiting for the run. Its curves appear here when it has logged a step.") + "<footer>" + escape(why) +
         "</footer>\n" + end_of(&live);
}

}  // namespace report

void write_report(const std::filesystem::path& run_folder) {
  write_file_atomically(run_folder / "report.html", report::page(report::read_run(run_folder)));
}

}  // namespace grpo
