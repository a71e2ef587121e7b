#include <iostream>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/sampling.h"
#include "grpo/trainer/config.h"

namespace grpo::cli {
namespace {

struct GenerateArguments {
  ModelSection model;
  std::string prompt, system_prompt, prompt_template;
  NamedOptions chat_template_kwargs;
  SamplingParams sampling;
  uint64_t seed = 0;
};

/// The template that was asked for; else the tokenizer's chat template where there is one, else the bare text.
PromptOptions prompt_options(const GenerateArguments& arguments, const Policy& policy) {
  if (!arguments.prompt_template.empty()) return {arguments.prompt_template, arguments.system_prompt, arguments.chat_template_kwargs};
  return {policy.chat_template ? "chat" : "{question}", arguments.system_prompt, arguments.chat_template_kwargs};
}

void generate(const GenerateArguments& arguments) {
  const Policy policy = load_policy(arguments.model, 0);
  const PromptOptions prompt = prompt_options(arguments, policy);
  validate(prompt);
  validate(arguments.sampling);
  Problem problem;
  problem.question = arguments.prompt;
  RolloutEngine engine(*policy.model);
  StreamDecoder stream(*policy.tokenizer, true);
  GenerateContext context;
  context.interrupted = [] { return interrupt_requested() || !std::cout; };
  const bool streaming = arguments.sampling.num_generations == 1;
  if (streaming) context.on_token = [&stream](const TokenEvent& event) { std::cout << stream.push(event.id) << std::flush; };
  const Experience groups = sample(policy, engine, {&problem}, prompt, arguments.sampling, {arguments.seed, 0}, context);
  if (streaming) {
    std::cout << stream.finish() << "\n";
    return;
  }
  const auto& samples = groups.front().samples;
  for (size_t i = 0; i < samples.size(); ++i) std::cout << "--- " << i + 1 << "\n" << samples[i].text << "\n";
}

}  // namespace

void add_generate(CLI::App& app) {
  auto* sub = app.add_subcommand("generate", "Text to the terminal as it is sampled");
  auto a = std::make_shared<GenerateArguments>();
  a->sampling.num_generations = 1;
  a->sampling.max_completion_length = 256;
  add_model_options(*sub, a->model);
  sub->add_option("--adapter", a->model.lora.path, "A PEFT folder of LoRA for that model");
  sub->add_option("--prompt", a->prompt, "What is asked")->required();
  sub->add_option("--prompt-template", a->prompt_template,
                  "chat, r1_zero, plain or a text with {question}; default: chat where there is a template");
  sub->add_option("--system-prompt", a->system_prompt, "First message of a chat");
  add_chat_template_kwargs(*sub, a->chat_template_kwargs);
  sub->add_option("--max-completion-length", a->sampling.max_completion_length, "Tokens at most");
  sub->add_option("--num-generations", a->sampling.num_generations, "Samples");
  sub->add_option("--temperature", a->sampling.temperature, "0 = greedy");
  sub->add_option("--top-k", a->sampling.top_k, "Keep the k most likely tokens; 0 = all");
  sub->add_option("--top-p", a->sampling.top_p, "Keep the most likely tokens of this mass");
  sub->add_option("--min-p", a->sampling.min_p, "Keep tokens of at least this share of the largest probability");
  sub->add_option("--repetition-penalty", a->sampling.repetition_penalty, "Of tokens seen before");
  sub->add_option("--stop", a->sampling.stop, "Texts that end a completion");
  sub->add_option("--seed", a->seed, "Of the samples");
  sub->callback([a] {
    const InterruptGuard guard(OnSignal::kEnd, "nothing is lost");
    generate(*a);
  });
}

}  // namespace grpo::cli
