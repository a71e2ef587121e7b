// grpo init: a config for the data that somebody has.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/choice.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"
#include "grpo/io/atomic_file.h"
#include "grpo/model/config.h"
#include "grpo/policy/policy.h"
#include "io/config_text.h"

namespace grpo::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoModel = "PATH-OF-A-MODEL";

struct InitArguments {
  std::string data, model, out, question, answer;
};

/// What the config says beside what is the same for all.
struct R1ZeroPlan {
  RecognisedColumns columns;
  PromptOptions prompt;
  int64_t problems = 0, repeated = 0;
  int64_t num_generations = 8, generation_batch_size = 64, max_completion_length = 512, max_steps = 0;
  int64_t shortest = 0, longest = 0;  // prompts, in tokens; 0: no model was named
  int64_t context = 0;                // tokens; 0: no model was named
  int64_t too_long = 0;               // prompts that leave little room for an answer
  std::string first_prompt, first_answer;

  int64_t steps_of_an_epoch() const { return std::max<int64_t>(1, problems * num_generations / generation_batch_size); }
};

std::string json_text(const std::string& text) { return to_text(nlohmann::json(text)); }

/// Such a path as a config in `folder` names it.
std::string path_from(const fs::path& folder, const std::string& path) {
  const fs::path whole = fs::weakly_canonical(fs::absolute(path)), from = fs::weakly_canonical(fs::absolute(folder));
  const fs::path relative = whole.lexically_relative(from);
  return relative.empty() || relative.begin()->string() == ".." ? whole.string() : relative.string();
}

std::string fields_text(const RecognisedColumns& columns) {
  const std::string prompt = columns.mapping.messages == columns.prompt ? "messages" : "question", indent = ",\n        ";
  std::string text = json_text(prompt) + ": " + json_text(columns.prompt);
  text += indent + "\"answer\": " + json_text(columns.answer);
  if (!columns.mapping.answer_after.empty())
    text += indent + "\"answer_after\": " + json_text(columns.mapping.answer_after) + "  // the final answer follows it";
  return text;
}

std::string prompt_text_of(const R1ZeroPlan& plan) {
  if (!is_chat(plan.prompt))
    return "    // DeepSeek-R1-Zero's: it asks for <think>…</think> <answer>…</answer>; \"chat\" is for models that were taught a chat "
           "template.\n"
           "    \"prompt_template\": " +
           json_text(plan.prompt.prompt_template);
  return "    // The rows are conversations, so the model's chat template renders them; this comes first where a row brings no system "
         "message.\n"
         "    \"prompt_template\": \"chat\",\n    \"system_prompt\": " +
         json_text(plan.prompt.system_prompt);
}

std::string config_text(const R1ZeroPlan& plan, const InitArguments& a) {
  const fs::path folder = fs::absolute(a.out).parent_path();
  const auto number = [](int64_t value) { return std::to_string(value); };
  const std::string model = a.model.empty() ? kNoModel : path_from(folder, a.model);
  std::string text = "// R1-Zero: reinforcement learning with verifiable rewards alone, on " + number(plan.problems) + " problems of " +
                     fs::path(a.data).filename().string() + ".\n// Written by grpo init. Run it by: grpo train " + a.out +
                     "\n// Paths are relative to this file; grpo info --options lists every option.\n{\n";
  text += "  // What learns: a Hugging Face folder or a .gguf file.\n  \"model\": {\"path\": " + json_text(model) + "},\n";
  text += "  \"data\": {\n    \"train\": {\n      \"path\": " + json_text(path_from(folder, a.data)) + ",\n";
  text += "      // Which column is what; the others reach rewards by their names.\n      \"fields\": {\n        " +
          fields_text(plan.columns) + "\n      }\n    },\n";
  if (plan.too_long > 0)
    text += "    // " + number(plan.too_long) + " prompts leave no room for an answer.\n    \"overlong_prompts\": \"drop\",\n";
  text += prompt_text_of(plan) + "\n  },\n";
  text +=
      "  // The weighted sum is what is learnt from.\n  \"reward\": [\n"
      "    // 1 where what stands between the answer tags equals the reference answer: numbers exactly, other text word by word.\n"
      "    {\"name\": \"accuracy\", \"weight\": 1.0, \"options\": {\"extract\": \"answer\"}},\n"
      "    // A little for the form, also for parts of it: a model that never wrote the tags finds them by it.\n"
      "    {\"name\": \"format\", \"weight\": 0.2, \"options\": {\"partial\": true}}\n  ],\n";
  text +=
      "  \"rollout\": {\n    // Samples of each problem; a group is compared with itself, so problems that are always or never solved "
      "teach nothing.\n"
      "    \"num_generations\": " +
      number(plan.num_generations) +
      ",\n    // Tokens of an answer at most: time and memory grow with it. Longer ones are cut, and count as wrong.\n"
      "    \"max_completion_length\": " +
      number(plan.max_completion_length) +
      ",\n    // 1 samples from the model as it is.\n    \"temperature\": 1.0,\n"
      "    // Nothing is wanted after the answer.\n    \"stop\": [\"</answer>\"]\n  },\n";
  text +=
      "  \"algorithm\": {\n    // GRPO with token-level sums; dr_grpo, grpo, cispo, … are other forms.\n    \"loss_type\": \"dapo\",\n"
      "    // Samples of a step: " +
      number(plan.generation_batch_size / plan.num_generations) + " problems by " + number(plan.num_generations) +
      " samples. More is steadier and slower.\n    \"generation_batch_size\": " + number(plan.generation_batch_size) + "\n  },\n";
  text +=
      "  \"optim\": {\n    // Usual for whole models of billions of parameters; small ones bear 1e-5.\n    \"learning_rate\": 1e-6,\n"
      "    \"lr_scheduler_type\": \"constant\"  // a run can be gone on with as long as it learns\n  },\n";
  text += "  \"trainer\": {\n    \"output_dir\": " + json_text("runs/" + fs::path(a.out).stem().string()) +
          ",  // model, figures, samples and checkpoints\n"
          "    // Optimiser steps; once through the data is " +
          number(plan.steps_of_an_epoch()) + ".\n    \"max_steps\": " + number(plan.max_steps) +
          ",\n"
          "    // A checkpoint now and then: --resume goes on from the newest.\n    \"save_steps\": 20\n  }\n}\n";
  return text;
}

constexpr int64_t kLeastRoom = 64;  // tokens for an answer

/// Lengths and the first prompt, by the model's own tokenizer.
void measure_prompts(const std::vector<Problem>& problems, const std::string& model, R1ZeroPlan& plan) {
  plan.context = model_config_at(model).max_position_embeddings;
  Policy policy{nullptr, load_tokenizer(model), std::nullopt, {}};
  if (!policy.tokenizer->chat_template().empty()) policy.chat_template = ChatTemplate::of_model(policy.tokenizer->chat_template());
  if (policy.chat_template && !plan.columns.conversational)
    plan.columns.notes.emplace_back(
        "the model brings a chat template: prompt_template=chat with a system_prompt that asks for the tags may suit it better");
  std::vector<int64_t> lengths;
  for (const Problem& problem : problems) {
    auto prompt = policy.encode_prompt(problem, plan.prompt);
    lengths.push_back(static_cast<int64_t>(prompt.ids.size()));
    if (plan.first_prompt.empty()) plan.first_prompt = std::move(prompt.text);
  }
  plan.too_long = std::ranges::count_if(lengths, [&](int64_t length) { return length > plan.context - kLeastRoom; });
  std::erase_if(lengths, [&](int64_t length) { return length > plan.context - kLeastRoom; });
  if (lengths.empty())
    fail_usage("init", "expected prompts that fit into the model's context of " + std::to_string(plan.context) + " tokens; got none");
  const auto [shortest, longest] = std::ranges::minmax(lengths);
  plan.shortest = shortest, plan.longest = longest;
  plan.max_completion_length = std::min(plan.max_completion_length, plan.context - longest);
}

R1ZeroPlan make_plan(const InitArguments& a) {
  constexpr int64_t kFirstRun = 200;  // steps, after which curves tell
  R1ZeroPlan plan;
  plan.columns = recognise_columns(a.data, a.question, a.answer);
  const std::vector<Problem> problems = load_problems(a.data, plan.columns.mapping);
  plan.problems = static_cast<int64_t>(problems.size());
  std::set<std::string> keys;
  for (const Problem& problem : problems) plan.repeated += keys.insert(problem_key(problem)).second ? 0 : 1;
  constexpr int64_t kFewest = 20;  // of so many problems one may be there again by chance
  if (plan.repeated * kFewest > plan.problems)
    plan.columns.notes.emplace_back("many prompts are equal: is a part of the question in another column?");
  plan.max_steps = std::min(kFirstRun, plan.steps_of_an_epoch());
  if (plan.columns.conversational) {
    plan.prompt.prompt_template = "chat";
    plan.prompt.system_prompt =
        "Think first, then answer: write your reasoning as <think> reasoning </think>, and after it the final answer alone as <answer> "
        "answer </answer>.";
  }
  const auto answers = problems.front().answers();
  plan.first_answer = answers.empty() ? "none" : answers.front();
  if (!a.model.empty()) {
    measure_prompts(problems, a.model, plan);
  } else if (!plan.columns.conversational) {
    plan.first_prompt = render_prompt(problems.front(), plan.prompt);
  }
  return plan;
}

void say(const std::string& what, const std::string& text) {
  std::cout << what << std::string(12 - std::min<size_t>(what.size(), 11), ' ') << text << "\n";
}

void explain(const R1ZeroPlan& plan, const InitArguments& a) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const RecognisedColumns& columns = plan.columns;
  say("problems",
      number(plan.problems) + " in " + a.data + (plan.repeated > 0 ? ", " + number(plan.repeated) + " of them more than once" : ""));
  say("prompt", std::string(columns.conversational ? "the conversation" : "the text") + " in column '" + columns.prompt +
                    "', by the template " + plan.prompt.prompt_template);
  say("answer", "column '" + columns.answer + "', " + columns.answer_form);
  if (!columns.left_out.empty()) say("left out", quoted_list(columns.left_out, "'") + ": no part of the prompt; rewards see them by name");
  for (const std::string& note : columns.notes) say("note", note);
  say("steps", number(plan.max_steps) + " of " + number(plan.generation_batch_size / plan.num_generations) + " problems by " +
                   number(plan.num_generations) + " samples; once through the data is " + number(plan.steps_of_an_epoch()));
  say("reward", "1.0 for the right answer in <answer>…</answer>, 0.2 for the form <think>…</think> <answer>…</answer>");
  if (plan.context > 0) {
    say("tokens", "prompts of " + number(plan.shortest) + " to " + number(plan.longest) + ", answers of at most " +
                      number(plan.max_completion_length) + ", in a context of " + number(plan.context) +
                      (plan.too_long > 0 ? "; " + number(plan.too_long) + " prompts are too long and left out" : ""));
  }
  if (!plan.first_prompt.empty())
    std::cout << "\nthe first prompt:\n"
              << clip_text(plan.first_prompt, 2000) << "\nits answer: " << clip_text(plan.first_answer, 200) << "\n";
  const std::string model = a.model.empty() ? " model.path=MODEL" : "";
  std::cout << "\nwrote " << a.out << "; next:\n  grpo train " << a.out << model
            << " --dry-run    # checks everything, and says what it takes\n  grpo train " << a.out << model << "\n";
}

void init_r1_zero(InitArguments a) {
  if (a.out.empty()) a.out = fs::path(a.data).stem().string() + "_r1_zero.json";
  if (fs::exists(a.out)) fail_usage("init", "expected a new file; got " + a.out + ", which is there already: name another with --out");
  if (const fs::path folder = fs::absolute(a.out).parent_path(); !fs::is_directory(folder))
    fail_usage("init", "expected a folder that exists; got " + folder.string());
  const R1ZeroPlan plan = make_plan(a);
  const std::string text = config_text(plan, a);
  ConfigSource source = config_source();  // what is written can be read
  source.add_text(text, a.out, fs::absolute(a.out).parent_path());
  Config config;
  read_config(source, config);
  validate(config, Command::kTrain);
  write_file_atomically(a.out, text);
  explain(plan, a);
}

}  // namespace

void add_init(CLI::App& app) {
  auto* sub = app.add_subcommand("init", "A commented config for your data, and what will happen with it");
  auto a = std::make_shared<InitArguments>();
  add_words(
      *sub, "recipe", {"r1-zero"}, 0, [](size_t) {}, "What to do with it")
      ->required();
  sub->add_option("data", a->data, "A .jsonl file of problems with answers, or a .json file with an array of them")
      ->required()
      ->type_name("PATH");
  sub->add_option("--model", a->model, "What is to learn: prompts are then counted in its tokens")->type_name("PATH");
  sub->add_option("--out", a->out, "The config to write; default: DATA_r1_zero.json in this folder")->type_name("PATH");
  sub->add_option("--question", a->question, "The column of the question or conversation, if it has no usual name")->type_name("COLUMN");
  sub->add_option("--answer", a->answer, "The column of the final answer, if it has no usual name")->type_name("COLUMN");
  sub->callback([a] { init_r1_zero(*a); });
}

}  // namespace grpo::cli
