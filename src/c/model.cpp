#include <algorithm>
#include <memory>
#include <optional>

#include "c/guard.h"
#include "grpo/c.h"
#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/io/json_config.h"
#include "grpo/policy/config.h"
#include "grpo/policy/policy.h"
#include "grpo/policy/sampling.h"

struct grpo_model {
  grpo::Policy policy;
  grpo::RolloutEngine engine;
  std::optional<grpo::SamplingParams> recommended;  // read once
};

namespace grpo::c {
namespace {

struct GenerateOptions {
  SamplingParams sampling;
  PromptOptions prompt;
  int64_t seed = 0;
};

void describe(ConfigVisitor& visitor, GenerateOptions& options) {
  describe(visitor, options.sampling);
  visitor.field("seed", options.seed, "", {.min = 0});
  visitor.field("prompt_template", options.prompt.prompt_template, "");
  visitor.field("system_prompt", options.prompt.system_prompt, "");
  visitor.options("chat_template_kwargs", options.prompt.chat_template_kwargs, "");
}

GenerateOptions generate_options(grpo_model& model, const char* text) {
  GenerateOptions options;
  if (!model.recommended) model.recommended = recommended_sampling(model.policy.base);
  options.sampling = *model.recommended;
  options.prompt.prompt_template = model.policy.default_template();
  ConfigSource source;
  source.add_text(options_text(text), "options");
  read_config(source, options);
  if (options.sampling.num_generations != 1) fail_usage("grpo_generate", "expected num_generations of 1; got another number");
  validate(options.sampling);
  validate(options.prompt);
  return options;
}

void stream_completion(grpo_model& model, const char* prompt, const char* options_json, grpo_text_callback callback, void* user) {
  const GenerateOptions options = generate_options(model, options_json);
  Problem problem;
  problem.question = prompt;
  StreamDecoder stream(*model.policy.tokenizer, true);
  bool ended = false;
  const auto give = [&](const std::string& text) {
    if (!ended && !text.empty()) ended = callback(text.data(), text.size(), user) != 0;
  };
  GenerateContext context;
  context.on_token = [&](const TokenEvent& event) { give(stream.push(event.id)); };
  context.interrupted = [&] { return ended || interrupt_requested(); };
  const auto key = RolloutKey{.seed = static_cast<uint64_t>(options.seed), .step = 0};
  const Experience groups = sample(model.policy, model.engine, {&problem}, options.prompt, options.sampling, key, context);
  give(stream.finish());
  if (!ended && groups.front().samples.front().finish == FinishReason::kCancelled)
    fail_interrupted("grpo_generate", "a signal asked to stop");
}

}  // namespace
}  // namespace grpo::c

using grpo::c::expect_given;
using grpo::c::guarded;

grpo_model* grpo_model_load(const char* path, const char* options) {
  grpo_model* loaded = nullptr;
  guarded([&] {
    expect_given(path, "grpo_model_load", "a path");
    grpo::ModelSection section;
    grpo::ConfigSource source;
    source.add_text(grpo::c::options_text(options), "options");
    grpo::read_config(source, section);
    if (!section.path.empty()) grpo::fail_usage("grpo_model_load", "expected the path as an argument; got one among the options too");
    section.path = path;
    auto policy = grpo::load_policy(section, 0);
    grpo::RolloutEngine engine(*policy.model);
    loaded = new grpo_model{std::move(policy), std::move(engine), std::nullopt};
  });
  return loaded;
}

void grpo_model_free(grpo_model* model) { delete model; }

int grpo_tokenize(grpo_model* model, const char* text, int special_tokens, int32_t* ids, size_t capacity, size_t* count) {
  return guarded([&] {
    for (const void* given : {static_cast<const void*>(model), static_cast<const void*>(text), static_cast<const void*>(count)})
      expect_given(given, "grpo_tokenize", "a model, a text and a place for the count");
    const auto found = model->policy.tokenizer->encode(text, special_tokens != 0);
    *count = found.size();
    if (ids != nullptr) std::copy_n(found.begin(), std::min(found.size(), capacity), ids);
  });
}

int grpo_detokenize(grpo_model* model, const int32_t* ids, size_t count, int skip_special_tokens, char* text, size_t capacity,
                    size_t* length) {
  return guarded([&] {
    expect_given(model, "grpo_detokenize", "a model");
    if (count > 0) expect_given(ids, "grpo_detokenize", "ids");
    const std::vector<int32_t> given(ids, ids + count);
    grpo::c::give_text(model->policy.tokenizer->decode(given, skip_special_tokens != 0), text, capacity, length);
  });
}

int grpo_generate(grpo_model* model, const char* prompt, const char* options, grpo_text_callback callback, void* user) {
  return guarded([&] {
    expect_given(model, "grpo_generate", "a model");
    expect_given(prompt, "grpo_generate", "a prompt");
    expect_given(reinterpret_cast<const void*>(callback), "grpo_generate", "a callback");
    grpo::c::stream_completion(*model, prompt, options, callback, user);
  });
}
