#include "report/samples.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "report/html.h"

namespace grpo::report {
namespace {

constexpr size_t kLongestTag = 40;

/// Length of the tag at the start of `text`, such as <think>, </answer> or <|im_end|>; 0 where there is none.
size_t tag_length(std::string_view text) {
  const auto of_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '|'; };
  size_t i = text.substr(0, 2) == "</" ? 2 : 1;
  const size_t begin = i;
  while (i < text.size() && i < kLongestTag && of_name(text[i])) ++i;
  return i > begin && i < text.size() && text[i] == '>' ? i + 1 : 0;
}

/// `text` as HTML with its tags set apart, and with them what stands within <think> and <answer>.
std::string highlighted(std::string_view text) {
  std::string html, inside;
  const auto add = [&html](const std::string& kind, std::string_view part) {
    if (part.empty()) return;
    html += kind.empty() ? escape(part) : "<span class=\"" + kind + "\">" + escape(part) + "</span>";
  };
  size_t done = 0;
  for (size_t i = text.find('<'); i != std::string_view::npos; i = text.find('<', i + 1)) {
    const size_t length = tag_length(text.substr(i));
    if (length == 0) continue;
    add(inside, text.substr(done, i - done));
    const std::string_view tag = text.substr(i, length);
    add("tag", tag);
    done = i + length;
    if (tag == "<think>") inside = "think";
    if (tag == "<answer>") inside = "answer";
    if (tag[1] == '/') inside.clear();
  }
  add(inside, text.substr(done));
  return html;
}

/// What kind of verdict it was, where the figure does not say so by itself.
std::string kind_beside(const Sample& sample, const std::string& function) {
  const auto kind = sample.kinds.find(function);
  const bool plain = kind == sample.kinds.end() || kind->second.empty() || kind->second == "right" || kind->second == "positive" ||
                     kind->second == "zero" || kind->second == "negative" || kind->second == "undefined";
  return plain ? "" : " " + escape(kind->second);
}

std::string chips(const Sample& sample) {
  std::string html = "<div class=\"chips\">";
  for (const auto& [name, value] : sample.rewards) {
    const char* kind = std::isnan(value) || value == 0.0 ? "none" : value > 0.0 ? "good" : "bad";
    html += "<span class=\"chip " + std::string(kind) + "\">" + escape(name) + " <b>" + (std::isnan(value) ? "–" : figure(value)) + "</b>" +
            kind_beside(sample, name) + "</span>";
  }
  if (!sample.finish.empty()) html += "<span class=\"chip end\">ended by " + escape(sample.finish) + "</span>";
  return html + "</div>";
}

std::string column(const std::vector<Sample>& samples, const char* title) {
  std::string html = "<div><h3>" + std::string(title) + " <small>step " + figure(samples.front().step) + "</small></h3>";
  for (const Sample& sample : samples) {
    html += "<article><pre class=\"prompt\">" + highlighted(sample.prompt) + "</pre><pre>" + highlighted(sample.completion) + "</pre>" +
            chips(sample) + "</article>";
  }
  return html + "</div>";
}

}  // namespace

std::string samples_section(const Run& run) {
  if (run.early.empty()) return "";
  std::string html = "<section><h2>Completions</h2><div class=\"columns\">" + column(run.early, run.late.empty() ? "Samples" : "Early");
  if (!run.late.empty()) html += column(run.late, "Late");
  return html + "</div></section>\n";
}

}  // namespace grpo::report
