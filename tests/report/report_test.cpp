#include "report/report.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grpo/core/error.h"
#include "report/axis.h"
#include "report/html.h"
#include "report/run.h"
#include "report/series.h"
#include "report/warnings.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, double>;

/// A run's folder that goes with the test.
class Report : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "grpo-report-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    base_ = pattern;
    folder_ = base_ / "my <run>";
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(base_); }

  void file(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name, std::ios::binary) << text; }

  /// metrics.jsonl of steps 1 to `steps`; `values` gets the share of the run that is done.
  void metrics(int steps, const std::function<Values(double)>& values, const std::string& after = "") const {
    std::string text;
    for (int step = 1; step <= steps; ++step) {
      nlohmann::json line = {{"step", step}};
      for (const auto& [name, value] : values(static_cast<double>(step) / steps)) line[name] = value;
      text += line.dump() + "\n";
    }
    file("metrics.jsonl", text + after);
  }

  std::string page() const {
    write_report(folder_);
    std::stringstream text;
    text << std::ifstream(folder_ / "report.html", std::ios::binary).rdbuf();
    return text.str();
  }

  std::string message() const {
    try {
      write_report(folder_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  fs::path base_, folder_;
};

/// A wave in place of noise: the tests need no luck.
double wobble(double t, double size) { return size * std::sin(211.0 * t); }

Values healthy(double t) {
  const double accuracy = 0.1 + 0.6 * t + wobble(t, 0.05);
  return {{"reward", accuracy + 0.2},
          {"rewards/accuracy/mean", accuracy},
          {"rewards/format/mean", 0.95},
          {"completions/mean_length", 50.0 + 40.0 * t},
          {"completions/min_length", 20.0},
          {"completions/max_length", 120.0},
          {"completions/clipped_ratio", 0.02},
          {"clip_ratio/region_mean", 0.01},
          {"entropy", 1.0 - 0.7 * t},
          {"kl", 0.01 * t},
          {"sampling/sampling_logp_difference/mean", 1e-4},
          {"sampling/sampling_logp_difference/max", 1e-2},
          {"frac_reward_zero_std", 0.3},
          {"loss", wobble(t, 0.01)},
          {"grad_norm", 0.5},
          {"learning_rate", 1e-6},
          {"time/generate", 1.0},
          {"time/reward", 0.1},
          {"time/update", 0.5},
          {"step_time", 1.7},
          {"num_tokens", 2e6 * t}};
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Property: what is opened is closed, no address is fetched, no number failed.
void expect_sound(const std::string& html) {
  for (const char* tag : {"svg", "figure", "section", "details", "article", "div", "span", "pre", "ul", "li", "p", "b", "i", "s", "code",
                          "table", "tr", "td", "script"}) {
    const std::string name(tag);
    EXPECT_EQ(count(html, "<" + name + ">") + count(html, "<" + name + " "), count(html, "</" + name + ">")) << name;
  }
  for (const char* fetched : {"http:", "https:", " src=", " href=", "@import", "url("}) EXPECT_FALSE(has(html, fetched)) << fetched;
  const std::string drawn = html.substr(html.find("<body>"), html.find("<script>") - html.find("<body>"));
  for (const char* failed : {"nan", "inf ", "inf\"", "inf%"}) EXPECT_FALSE(has(drawn, failed)) << failed;
}

TEST_F(Report, HoldsEverySectionOfARun) {
  metrics(40, healthy,
          R"({"step":0,"eval_accuracy":0.125,"eval_accuracy_greedy":0.2,"eval_pass@1":0.125,"eval_pass@8":0.5,"eval_seconds":10})"
          "\n"
          R"({"step":40,"eval_accuracy":0.75,"eval_accuracy_greedy":0.8,"eval_pass@1":0.75,"eval_pass@8":0.9,"eval_seconds":12})"
          "\n");
  file("config.json", R"({"algorithm":{"objective":"grpo"},"trainer":{"seed":1},"marker":1})");
  file("completions.jsonl", R"({"step":1,"prompt":"What?","completion":"early text","finish":"stop","rewards":{"accuracy":0}})"
                            "\n"
                            R"({"step":40,"prompt":"What?","completion":"late text","finish":"length","rewards":{"accuracy":1}})"
                            "\n");
  const std::string html = page();
  expect_sound(html);
  for (const char* title : {"Reward", "Evaluation accuracy", "Completion length", "Entropy", "KL to the reference", "Clipped and cut off",
                            "Groups without variance", "Sampler–trainer gap", "Loss", "Gradient norm", "Learning rate", "Time per step"}) {
    EXPECT_TRUE(has(html, std::string("<h3>") + title + "</h3>")) << title;
  }
  for (const char* part : {"<s>12.5% →</s> 75.0%", "greedy 20.0% → 80.0%", "early text", "late text", "marker", "&quot;objective&quot;",
                           "class=\"band\"", "class=\"layer\"", "data-log", "Reinforcement learning · grpo", "1 min 30 s", "2M"}) {
    EXPECT_TRUE(has(html, part)) << part;  // 40 steps of 1.7 s and 22 s of evaluation: 90 s
  }
  EXPECT_FALSE(has(html, "pass@1<"));  // the same as the accuracy
  EXPECT_FALSE(has(html, "Signs of a collapse"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 4);  // no temporary file is left
}

/// verdicts.json as a run writes it.
const char* const kVerdicts =
    R"json({"unreadable_golds":[{"data":"train","function":"accuracy","problems":7473,"unreadable":12,
  "examples":[{"problem":12345,"gold":"about <seven>","reason":"no number"}]}],
  "near_misses":[{"function":"accuracy","gold":"(1,2)","given":"1, 2","reason":"a tuple & a list","nearness":1.0,"problem":17,"count":31,
  "first_step":4,"last_step":90}]})json";

TEST_F(Report, ShowsVerdictsByKindAndTheNearestMisses) {
  metrics(4, [](double t) {
    return Values{{"reward", t},
                  {"rewards/accuracy/mean", t},
                  {"rewards/accuracy/verdicts/right", 10.0 * t},
                  {"rewards/accuracy/verdicts/no final answer", 5.0},
                  {"rewards/format/verdicts/a tag <is> missing", 1.0}};
  });
  file("verdicts.json", kVerdicts);
  file("completions.jsonl", R"({"step":1,"prompt":"p","completion":"c","rewards":{"accuracy":0,"format":1,"own":0},)"
                            R"("verdicts":{"accuracy":"no <final> answer","format":"right","own":"zero"}})");
  const std::string html = page();
  expect_sound(html);
  for (const char* part :
       {"accuracy <small>45 verdicts", "<span>right</span><i><b style=\"width:55.56%\"></b></i><span>25</span><span>55.6%",
        "<span>no final answer</span>", "<span>20</span><span>44.4%", "a tag &lt;is&gt; missing", "<code>(1,2)</code>", "<code>1, 2</code>",
        "a tuple &amp; a list", "<td>31</td><td>4–90</td><td>17</td>",
        "12 of 7473 problems (train) have a right answer that cannot be read", "problem 12345: <code>about &lt;seven&gt;</code>"}) {
    EXPECT_TRUE(has(html, part)) << part;
  }
  EXPECT_TRUE(has(html, "accuracy <b>0</b> no &lt;final&gt; answer</span>"));
  EXPECT_TRUE(has(html, "format <b>1</b></span>") && has(html, "own <b>0</b></span>"));
  EXPECT_LT(html.find("<span>right</span>"), html.find("<span>no final answer</span>"));  // the more frequent first
  EXPECT_EQ(html.find("rewards/accuracy/verdicts"), std::string::npos);
}

// What is no such file is passed over, and a run without verdicts has no section.
TEST_F(Report, BrokenVerdictsAreNoVerdicts) {
  metrics(3, [](double t) { return Values{{"reward", t}}; });
  EXPECT_FALSE(has(page(), "<h2>Verdicts"));
  for (const char* text : {"", "{", "[]", "7", R"({"near_misses":7,"unreadable_golds":{}})", R"({"near_misses":[7,[],null]})"}) {
    file("verdicts.json", text);
    EXPECT_FALSE(has(page(), "<h2>Verdicts")) << text;
  }
  file("verdicts.json",
       R"({"near_misses":[{"gold":7,"count":"x","first_step":1e300,"reason":"\u0000<b>"}],"unreadable_golds":[{"examples":[{}]}]})");
  expect_sound(page());
}

TEST_F(Report, EscapesEverythingThatComesFromFiles) {
  const std::string evil = "</pre><script>alert('x')</script>&\"";
  file("metrics.jsonl", nlohmann::json{{"step", 1}, {"reward", 1}, {"rewards/" + evil + "/mean", 1}, {"eval_" + evil, 1}}.dump());
  file("completions.jsonl", nlohmann::json{{"step", 1},
                                           {"prompt", evil},
                                           {"completion", "<think>" + evil + "</think><answer>7</answer>"},
                                           {"finish", evil},
                                           {"rewards", {{evil, 1}}}}
                                .dump());
  file("config.json", evil);
  const std::string html = page();
  expect_sound(html);
  EXPECT_EQ(count(html, "<script>"), 1U);  // the page's own
  EXPECT_FALSE(has(html, "alert('x')"));
  EXPECT_TRUE(has(html, "<title>my &lt;run&gt;</title>"));
  EXPECT_TRUE(has(html, "<span class=\"tag\">&lt;think&gt;</span>"));
  EXPECT_TRUE(has(html, "<span class=\"answer\">7</span>"));
}

TEST_F(Report, WarnsOfACollapseAndOnlyThen) {
  const auto titles = [this] {
    std::string text;
    for (const auto& warning : report::collapse_warnings(report::read_run(folder_)))
      text += warning.title + ". " + warning.explanation + "\n";
    return text;
  };
  metrics(200, healthy);
  EXPECT_EQ(titles(), "");

  metrics(200, [](double t) {
    Values values = healthy(t);
    const double gone = std::min(1.0, std::max(0.0, (t - 0.4) / 0.2));
    values["rewards/accuracy/mean"] = 0.1 + t * (1.0 - gone);
    values["completions/mean_length"] = 60.0 - 50.0 * gone;
    values["entropy"] = 1.0 - 0.999 * gone;
    values["completions/clipped_ratio"] = 0.6 * gone;
    return values;
  });
  const std::string collapsed = titles();
  EXPECT_TRUE(has(collapsed, "Accuracy fell from")) << collapsed;
  EXPECT_TRUE(has(collapsed, "to 10.0%. The format reward stayed high")) << collapsed;
  EXPECT_TRUE(has(collapsed, "Completions shrank from 60 to 10 tokens")) << collapsed;
  EXPECT_TRUE(has(collapsed, "Entropy is 0.001 nats")) << collapsed;
  EXPECT_TRUE(has(collapsed, "60.0% of the completions are cut off")) << collapsed;
  EXPECT_FALSE(has(collapsed, "of the tokens are clipped")) << collapsed;
  const std::string html = page();
  expect_sound(html);
  EXPECT_TRUE(has(html, "Signs of a collapse"));
}

TEST_F(Report, BriefAnswersOfALearnedTaskAreNoCollapse) {
  metrics(100, [](double t) {
    Values values = healthy(t);
    values["rewards/accuracy/mean"] = std::min(0.98, 0.2 + 2.0 * t);
    values["completions/mean_length"] = 100.0 - 90.0 * t;
    values["entropy"] = 0.005;
    return values;
  });
  EXPECT_TRUE(report::collapse_warnings(report::read_run(folder_)).empty());
}

TEST_F(Report, StaysSmallForLongRuns) {
  metrics(100000, [](double t) { return Values{{"reward", wobble(t, 1.0)}, {"loss", t}, {"kl", t}, {"entropy", 1.0 + wobble(t, 0.1)}}; });
  std::string lines;
  for (int i = 0; i < 200; ++i) {
    lines +=
        nlohmann::json{{"step", i / 100}, {"prompt", std::string(100000, '<')}, {"completion", std::string(100000, '"')}}.dump() + "\n";
  }
  file("completions.jsonl", lines);
  file("config.json", std::string(1 << 20, '&'));
  const std::string html = page();
  expect_sound(html);
  EXPECT_LT(html.size(), 2000000U);
}

TEST_F(Report, ReadsWhatAnInterruptedRunLeft) {
  metrics(3, healthy, "\n{\"step\": 4, \"rew");
  file("completions.jsonl", "{\"step\":1,\"prompt\":\"p\",\"completion\":\"whole\"}\n{\"step\":1,\"prom");
  const std::string html = page();
  expect_sound(html);
  EXPECT_TRUE(has(html, "Steps <b>3</b>"));
  EXPECT_TRUE(has(html, "whole"));
}

// Of a file that is longer than what is read of its end, the first step's samples and the last one's.
TEST_F(Report, ReadsBothEndsOfALongLog) {
  metrics(400, healthy);
  std::string text;
  for (int step = 1; step <= 400; ++step) {
    const nlohmann::json line = {
        {"step", step}, {"prompt", "p"}, {"completion", "step-" + std::to_string(step) + "-" + std::string(40000, 'x')}};
    text += line.dump() + "\n";
  }
  file("completions.jsonl", text);
  const std::string html = page();
  for (const char* shown : {"step-1-", "step-400-"}) EXPECT_NE(html.find(shown), std::string::npos) << shown;
  for (const char* other : {"step-2-", "step-399-"}) EXPECT_EQ(html.find(other), std::string::npos) << other;
}

TEST_F(Report, LeavesUndefinedValuesOut) {
  file("metrics.jsonl",
       "{\"step\":1,\"reward\":null,\"loss\":NaN,\"kl\":-Infinity,\"entropy\":0.5,\"grad_norm\":1e300}\n"
       "{\"step\":2,\"reward\":0.5,\"entropy\":1e-310,\"rewards/NaN/mean\":1}");
  const report::Run run = report::read_run(folder_);
  EXPECT_EQ(run.undefined_values, 4);
  EXPECT_EQ(run.of("entropy").size(), 2U);
  EXPECT_EQ(run.of("rewards/NaN/mean").size(), 1U);
  EXPECT_TRUE(has(page(), "4 undefined values"));
}

TEST_F(Report, MarksSettingsThatChangedOnTheCurves) {
  metrics(30, healthy);
  const std::string unmarked = page();
  EXPECT_FALSE(has(unmarked, "Settings that changed") || has(unmarked, "class=\"mark\""));
  file("changes.jsonl",
       "{\"step\":10,\"key\":\"optim.learning_rate\",\"was\":\"0.1\",\"now\":\"<b>\"}\n"
       "{\"step\":10,\"key\":\"rollout.top_k\",\"was\":\"0\",\"now\":\"5\"}\nno json\n{\"step\":20,\"ke");
  const std::string html = page();
  expect_sound(html);
  EXPECT_TRUE(has(html, "<li>after step 10: optim.learning_rate was 0.1, then &lt;b&gt;</li>"));
  EXPECT_TRUE(has(html, "rollout.top_k was 0, then 5"));
  const auto count = [&html](const std::string& text) {
    size_t found = 0;
    for (size_t at = html.find(text); at != std::string::npos; at = html.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("class=\"mark\""), count("<figure>")) << "one step of changes, on every curve";
}

// Figures under the names that each kind of training logs.
TEST_F(Report, NamesTheKindOfTraining) {
  const auto titled = [&](const Values& figures, const char* title) {
    metrics(10, [&](double) { return figures; });
    EXPECT_TRUE(has(page(), title)) << title;
  };
  titled({{"loss", 1.0}, {"rewards/chosen", 0.1}, {"rewards/margins", 0.1}}, "Direct preference optimisation");
  titled({{"loss", 1.0}, {"rewards/margins", 0.1}, {"rewards/accuracies", 0.5}}, "Reward model");
  titled({{"loss", 1.0}, {"rewards/margins", 0.1}, {"reward", 0.5}, {"dpo/pairs", 3.0}}, "Reinforcement learning");
  titled({{"loss", 0.0}, {"tokens/generated", 9.0}, {"frac_reward_zero_std", 1.0}}, "No sample has a verdict");
  titled({{"loss", 0.0}, {"tokens/generated", 9.0}, {"reward", 0.0}, {"frac_reward_zero_std", 1.0}}, "samples are equal");
}

TEST_F(Report, SupervisedAndSingleStepRuns) {
  metrics(30, [](double t) { return Values{{"loss", 2.0 - t}, {"entropy", 0.001}, {"num_tokens", 1e4 * t}}; });
  const std::string supervised = page();
  expect_sound(supervised);
  EXPECT_TRUE(has(supervised, "Supervised fine-tuning"));
  EXPECT_TRUE(has(supervised, "<h3>Loss</h3>"));
  EXPECT_FALSE(has(supervised, "<h3>Reward</h3>"));
  EXPECT_FALSE(has(supervised, "Signs of a collapse"));

  metrics(1, healthy);
  const std::string single = page();
  expect_sound(single);
  EXPECT_TRUE(has(single, "class=\"dots\""));
  EXPECT_FALSE(has(single, "Signs of a collapse"));

  file("metrics.jsonl", "{\"step\":0}");  // nothing but a step: a page without curves
  expect_sound(page());
}

TEST_F(Report, RefusesWhatIsNoRun) {
  EXPECT_TRUE(has(message(), "[report] expected a run's folder with a metrics.jsonl")) << message();
  file("metrics.jsonl", "\n \n");
  EXPECT_TRUE(has(message(), "at least one line")) << message();
  file("metrics.jsonl", "{\"step\":1,\"loss\":1}\n[1]\n{\"step\":3,\"loss\":1}\n");
  EXPECT_TRUE(has(message(), "in line 2")) << message();
  for (const char* broken : {"{\"step\":\"1\"}", "{\"loss\":1}", "{\"step\":1e18}", "{\"step\":1e999}", "[[[[", "null"}) {
    file("metrics.jsonl", broken);
    EXPECT_TRUE(has(message(), "at least one line")) << broken;
  }
  EXPECT_FALSE(fs::exists(folder_ / "report.html"));
}

TEST_F(Report, SurvivesOddValues) {
  for (const char* values :
       {"\"reward\":1e99,\"loss\":-1e99", "\"reward\":0,\"loss\":1e-99", "\"reward\":{\"a\":[1]},\"loss\":\"text\"",
        "\"time/generate\":-1,\"time/update\":-2,\"step_time\":-5", "\"rewards//mean\":1,\"eval_\":2,\"eval_pass@\":3"}) {
    const std::string text(values);
    file("metrics.jsonl", "{\"step\":-5," + text + "}\n{\"step\":1e14," + text + "}\n{\"step\":3," + text + "}\n");
    file("completions.jsonl", "{\"step\":1,\"prompt\":5,\"completion\":null,\"finish\":[],\"rewards\":[1]}\n\xff\xfe\n");
    expect_sound(page());
  }
}

TEST(ReportText, HandValues) {
  EXPECT_EQ(report::escape("a<b>&\"'\x01\n"), "a&lt;b&gt;&amp;&quot;&#39;\xEF\xBF\xBD\n");
  EXPECT_EQ(report::shortened("héllo", 2), "h…");  // é is two bytes: never half of it
  EXPECT_EQ(report::shortened("héllo", 6), "héllo");
  for (const auto& [value, text] : std::map<double, std::string>{{0.0, "0"},
                                                                 {0.01234, "0.0123"},
                                                                 {789.4, "789"},
                                                                 {1234.0, "1234"},
                                                                 {20000.0, "20k"},
                                                                 {4.5e6, "4.5M"},
                                                                 {1.5e-6, "1.5e-6"},
                                                                 {-2e-5, "-2e-5"}}) {
    EXPECT_EQ(report::figure(value), text);
  }
  EXPECT_EQ(report::fixed(-0.01, 1), "0.0");
  EXPECT_EQ(report::duration(4.25), "4.2 s");
  EXPECT_EQ(report::duration(200.0), "3 min 20 s");
  EXPECT_EQ(report::duration(3900.0), "1 h 5 min");
  EXPECT_EQ(report::duration(183600.0), "2 d 3 h");
}

TEST(ReportAxis, CoversItsRangeWithRoundTicks) {
  for (const auto& [low, high] : {std::pair(0.0, 0.976), std::pair(-0.06, 0.07), std::pair(3.0, 3.0), std::pair(0.0, 0.0),
                                  std::pair(1e-7, 3e-6), std::pair(-1e90, 2e90), std::pair(-5.0, -1.0)}) {
    const report::Axis axis = report::linear_axis(low, high, false);
    EXPECT_LE(axis.low, low);
    EXPECT_GE(axis.high, high);
    EXPECT_GE(axis.ticks.size(), 2U);
    EXPECT_LE(axis.ticks.size(), 9U);
  }
  const report::Axis decades = report::log_axis(2e-4, 0.3);
  EXPECT_EQ(decades.low, -4.0);
  EXPECT_EQ(decades.high, 0.0);
  EXPECT_NEAR(decades.position(0.01), 500.0, 1e-9);
}

TEST(ReportSeries, AveragesAndExtremes) {
  report::Series series;
  for (int i = 0; i < 1000; ++i) series.push_back({static_cast<double>(i), i == 437 ? 100.0 : 2.0 * i / 1000.0});
  const report::Series thin = report::extremes(series, 50);
  EXPECT_LE(thin.size(), 100U);
  EXPECT_EQ(report::value_at(thin, 437.0, 0.0), 100.0);  // a lone peak survives

  // oracle: a triangle of weights 1 2 1 round the middle, 2 1 at the ends
  const report::Series mean = report::moving_average({{0, 3.0}, {1, 6.0}, {2, 1.0}}, 2, 10);
  ASSERT_EQ(mean.size(), 3U);
  EXPECT_DOUBLE_EQ(mean[0].value, 4.0);
  EXPECT_DOUBLE_EQ(mean[1].value, 4.0);
  EXPECT_DOUBLE_EQ(mean[2].value, 8.0 / 3.0);
  EXPECT_EQ(report::moving_average(series, 1, 10).size(), 11U);
}

}  // namespace
}  // namespace grpo
