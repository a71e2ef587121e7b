#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/commands.h"
#include "cli/kept_lines.h"
#include "cli/lines.h"
#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/data/dataset.h"
#include "grpo/model/transformer.h"
#include "grpo/rollout/sampling.h"
#include "policy/sampling.h"

namespace grpo::cli {
namespace {

struct GenerateArguments {
  SampledModel model;
  std::string prompt, system_prompt, prompt_template;
  NamedOptions chat_template_kwargs;
  SamplingParams sampling;
  uint64_t seed = 0;
  bool jsonl = false;
  size_t batch_size = 64;
};

/// How fast it goes. The time to the first token holds the packing of weights and the prompt.
class Speed {
 public:
  void see_token() {
    if (tokens_++ == 0) first_ = Clock::now();
  }
  std::string text() const {
    const double begin = seconds(begun_, first_), rest = seconds(first_, Clock::now());
    if (tokens_ == 0) return "no tokens";
    if (tokens_ == 1) return formatted("1 token in %.2f s", begin, 0, 0);
    return std::to_string(tokens_) + formatted(" tokens in %.2f s: %.1f tokens/s after the first, which took %.2f s", begin + rest,
                                               static_cast<double>(tokens_ - 1) / rest, begin);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds(Clock::time_point from, Clock::time_point to) { return std::chrono::duration<double>(to - from).count(); }
  static std::string formatted(const char* format, double a, double b, double c) {
    char text[128];
    std::snprintf(text, sizeof text, format, a, b, c);
    return text;
  }

  Clock::time_point begun_ = Clock::now(), first_ = begun_;
  int64_t tokens_ = 0;
};

/// The template that was asked for; else the tokenizer's chat template where there is one, else the bare text.
PromptOptions prompt_options(const GenerateArguments& arguments, const Policy& policy) {
  const std::string& asked = arguments.prompt_template;
  return {asked.empty() ? policy.default_template() : asked, arguments.system_prompt, arguments.chat_template_kwargs};
}

/// What was asked for, and of the rest what the model's makers recommend. Whoever asks for several samples, or for less than all tokens to
/// choose from, wants no greedy ones.
SamplingParams sampling_of(const CLI::App& command, const SamplingParams& asked, const Policy& policy) {
  const auto given = [&command](const char* name) { return command.count(name) > 0; };
  const SamplingParams recommended = recommended_sampling(policy.base);
  SamplingParams params = asked;
  const bool samples = asked.num_generations > 1 || given("--top-k") || given("--top-p") || given("--min-p");
  if (!given("--temperature")) params.temperature = samples && recommended.greedy() ? 1.0 : recommended.temperature;
  if (!given("--top-k")) params.top_k = recommended.top_k;
  if (!given("--top-p")) params.top_p = recommended.top_p;
  if (!given("--min-p")) params.min_p = recommended.min_p;
  if (!given("--repetition-penalty")) params.repetition_penalty = recommended.repetition_penalty;
  if (!given("--max-completion-length")) params.max_completion_length = recommended.max_completion_length;
  validate(params);
  return params;
}

/// All that is needed to answer.
class Generator {
 public:
  Generator(const CLI::App& command, const GenerateArguments& arguments, const Registry& registry)
      : arguments_(arguments),
        policy_(load_sampled_policy(arguments.model, registry)),
        prompt_(prompt_options(arguments, policy_)),
        sampling_(sampling_of(command, arguments.sampling, policy_)),
        engine_(*policy_.model, engine_options(arguments.model)) {
    validate(prompt_);
    context_.interrupted = [] { return interrupt_requested() || !std::cout; };
  }

  /// The text to stdout as it is sampled.
  void print(const std::string& question) {
    Problem problem;
    problem.question = question;
    StreamDecoder stream(*policy_.tokenizer, true);
    const bool streaming = sampling_.num_generations == 1;
    Speed speed;
    context_.on_token = [&](const TokenEvent& event) {
      speed.see_token();
      if (streaming) std::cout << stream.push(event.id) << std::flush;
    };
    const Experience groups = sample(policy_, engine_, {&problem}, prompt_, sampling_, {arguments_.seed, 0}, context_);
    if (streaming) std::cout << stream.finish() << std::endl;
    const auto& samples = groups.front().samples;
    for (size_t i = 0; !streaming && i < samples.size(); ++i) std::cout << "--- " << i + 1 << "\n" << samples[i].text << std::endl;
    log_info(speed.text());
  }

  /// Lines to lines.
  void answer_lines() {
    std::unique_ptr<Speed> speed;  // from the first line on
    context_.on_token = [&speed](const TokenEvent&) { speed->see_token(); };
    const auto answer = [&](const std::vector<InputLine>& lines) {
      if (!speed) speed = std::make_unique<Speed>();
      return rows(lines);
    };
    const LineCounts counts = map_batches(answer, {.write = {}, .skip = 0, .batch_size = arguments_.batch_size});
    if (speed) log_info(speed->text());
    if (!counts.whole) fail_resumable("generate", std::to_string(counts.rows) + " lines", nullptr);
  }

 private:
  std::vector<Row> rows(const std::vector<InputLine>& lines) {
    std::vector<Problem> problems;
    for (const InputLine& line : lines) {
      problems.push_back(parse_problem(line.text, {}, "stdin", line.number));
      problems.back().index = line.number;  // part of the random key
    }
    std::vector<const Problem*> asked;
    for (const Problem& problem : problems) asked.push_back(&problem);
    std::vector<Row> rows;
    const Experience groups = sample(policy_, engine_, asked, prompt_, sampling_, {arguments_.seed, 0}, context_);
    expect_uncancelled(groups);  // a line has its whole answer or none
    for (const Group& group : groups) {
      std::vector<Row> completions;
      for (const Sample& sample : group.samples) {
        completions.push_back({{"text", sample.text},
                               {"ids", sample.ids},
                               {"finish_reason", to_string(sample.finish)},
                               {"completion_tokens", sample.ids.size()}});
      }
      Row row = {{"prompt_tokens", group.prompt_ids.size()}};
      if (completions.size() > 1) {
        row["completions"] = completions;
      } else {
        row.update(completions.front());
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

  const GenerateArguments& arguments_;
  Policy policy_;
  PromptOptions prompt_;
  SamplingParams sampling_;
  RolloutEngine engine_;
  GenerateContext context_;
};

/// All of stdin without its last line breaks.
std::string prompt_from_stdin() {
  if (::isatty(STDIN_FILENO) == 1)
    fail_usage("generate", "expected a prompt: grpo generate --model PATH \"What is …?\", text on stdin, or JSON lines with --jsonl");
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  text.resize(text.find_last_not_of("\r\n") + 1);
  return text;
}

void generate_as_asked(const CLI::App& command, GenerateArguments& arguments, const Registry& registry) {
  const bool given = command.count("--prompt") > 0;
  if (arguments.jsonl && given) fail_usage("generate", "expected prompts on stdin under --jsonl; got one on the command line too");
  if (!arguments.jsonl && !given) arguments.prompt = prompt_from_stdin();
  if (!arguments.jsonl) return Generator(command, arguments, registry).print(arguments.prompt);
  const InterruptGuard guard;
  Generator(command, arguments, registry).answer_lines();
}

void add_sampling_options(CLI::App& command, SamplingParams& sampling) {
  const std::string recommended = "of the model";  // see recommended_sampling
  command
      .add_option("--max-completion-length", sampling.max_completion_length,
                  "Tokens at most; what is not given is of the model's generation_config.json, else 512")
      ->default_str(recommended);
  command.add_option("--num-generations", sampling.num_generations, "Samples");
  command.add_option("--temperature", sampling.temperature, "0 = greedy, as of a model without that file")->default_str(recommended);
  command.add_option("--top-k", sampling.top_k, "Keep the k most likely tokens; 0 = all")->default_str(recommended);
  command.add_option("--top-p", sampling.top_p, "Keep the most likely tokens of this mass")->default_str(recommended);
  command.add_option("--min-p", sampling.min_p, "Keep tokens of at least this share of the largest probability")->default_str(recommended);
  command.add_option("--repetition-penalty", sampling.repetition_penalty, "Of tokens seen before")->default_str(recommended);
  command.add_option("--stop", sampling.stop, "A text that ends a completion; may be given again")->allow_extra_args(false)->take_all();
}

}  // namespace

void add_generate(CLI::App& app, const Registry& registry) {
  auto* sub = app.add_subcommand("generate", "Text to the terminal as it is sampled, or JSON lines to JSON lines; speed to stderr");
  auto a = std::make_shared<GenerateArguments>();
  a->sampling.num_generations = 1;
  add_sampled_model_options(*sub, a->model);
  sub->add_option("--adapter", a->model.section.lora.path, "A PEFT folder of LoRA for that model")->type_name("PATH");
  sub->add_option("prompt,--prompt", a->prompt, "What is asked; without it, all of stdin");
  sub->add_flag(
      "--jsonl", a->jsonl,
      "Lines {\"prompt\": …} or {\"messages\": …} from stdin, with an id, tools and chat_template_kwargs if need be, to lines with "
      "text, ids, finish_reason and counts of tokens; {\"error\": …} for a bad line");
  sub->add_option("--batch-size", a->batch_size, "Lines sampled together at most, of those that are waiting; no sample depends on it")
      ->check(CLI::PositiveNumber);
  sub->add_option("--prompt-template", a->prompt_template,
                  "chat, r1_zero, plain or a text with {question}; default: chat where there is a template");
  sub->add_option("--system-prompt", a->system_prompt, "First message of a chat");
  add_chat_template_kwargs(*sub, a->chat_template_kwargs);
  add_sampling_options(*sub, a->sampling);
  sub->add_option("--seed", a->seed, "Of the samples");
  sub->callback([sub, a, &registry] {
    const InterruptGuard guard(OnSignal::kEnd, "nothing is lost");
    generate_as_asked(*sub, *a, registry);
  });
}

}  // namespace grpo::cli
