#pragma once

#include <utility>

#include "grpo/policy/experience.h"

// The fields of what is sampled, named once: ranks tell them each other (gather.cpp), and checkpoints keep them (experience_file.cpp). An
// archive is called with a name and a field, and reads or writes it.
namespace grpo {

template <class Archive>
void fields(Archive& a, StepScore& step) {
  a("end", step.end);
  a("value", step.value);
}

template <class Archive>
void fields(Archive& a, Score& score) {
  a("value", score.value);
  a("reason", score.reason);
  a("kind", score.kind);
  a("gold", score.gold);
  a("given", score.given);
  a("steps", score.steps);
}

template <class Archive>
void fields(Archive& a, Sample& sample) {
  a("ids", sample.ids);
  a("logprobs", sample.logprobs);
  a("processed_logprobs", sample.processed_logprobs);
  a("finish", sample.finish);
  a("born_at_step", sample.born_at_step);
  a("text", sample.text);
  a("scores", sample.scores);
  a("reward", sample.reward);
}

/// `problem` is not among them: whoever reads a group finds it by `item`.
template <class Archive>
void fields(Archive& a, Group& group) {
  a("item", group.item);
  a("seed", group.key.seed);
  a("step", group.key.step);
  a("stream", group.stream);
  a("prompt", group.prompt);
  a("prompt_ids", group.prompt_ids);
  a("samples", group.samples);
  a("greedy_reward", group.greedy_reward);
}

}  // namespace grpo
