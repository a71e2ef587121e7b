#include "trainer/identity.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "dispatch.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "io/file_hash.h"

namespace grpo {
namespace {

/// Texts one after the other, each with its length, so that none flows into the next.
std::string joined(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const auto text : texts) all.append(std::to_string(text.size())).append(":").append(text);
  return all;
}

std::string content_of(const Problem& problem) {
  std::string all = joined({problem.question, problem.answer, problem.solution, problem.tools, problem.chat_template_kwargs});
  for (const Message& message : problem.messages) all += joined({message.role, message.content, message.members});
  for (const auto& [name, value] : problem.fields) all += joined({name, value});
  return all;
}

std::string content_of(const std::vector<Problem>& problems) {
  std::string hashes;
  for (const Problem& problem : problems) hashes += hash_of(content_of(problem));
  return std::to_string(problems.size()) + " problems, " + hash_of(hashes);
}

std::string content_of(const std::vector<ParameterArena*>& arenas) {
  std::string hashes;
  for (const auto* arena : arenas) {
    const at::Tensor here = arena->flat().detach().to(at::kCPU).contiguous();
    hashes += hash_of({static_cast<const char*>(here.const_data_ptr()), here.nbytes()});
  }
  return hash_of(hashes);
}

std::string content_of(const Tokenizer& tokenizer) {
  std::string files;
  for (const auto& [name, bytes] : tokenizer.files()) files += joined({name, bytes});
  return std::to_string(tokenizer.vocab_size()) + " tokens, " + hash_of(files);
}

}  // namespace

Fingerprint fingerprint_of(const Config& config, const Policy& policy, const std::vector<Problem>& problems,
                           const std::vector<Problem>& eval_problems, const Communicator& communicator) {
  Fingerprint all = option_values(config);
  const ModelConfig& shape = policy.model->config();
  auto weights = content_of(policy.model->parameters());
  if (policy.model->has_adapter() && config.model.lora.rank == 0) weights += ", " + content_of(policy.model->trainable());
  all["content.model"] = weights;
  all["content.model_config"] = hash_of(model_config_to_json(shape, "float32"));
  all["content.tokenizer"] = content_of(*policy.tokenizer);
  all["content.chat_template"] = hash_of(policy.tokenizer->chat_template());
  all["content.data"] = content_of(problems);
  all["content.eval_data"] = content_of(eval_problems);
  all["program.version"] = GRPO_VERSION;
  all["program.torch"] = GRPO_TORCH_VERSION;
  all["program.instructions"] = kernels::cpu_kernels().isa;
  all["program.ranks"] = std::to_string(communicator.world_size());
  return all;
}

void expect_equal_ranks(Communicator& communicator, const Fingerprint& mine) {
  if (communicator.world_size() == 1) return;
  const auto all = all_gather(communicator, to_text(nlohmann::json(mine)));
  const auto first = parse_json(all.front()).get<Fingerprint>();
  std::string faults;
  for (size_t rank = 1; rank < all.size(); ++rank) {
    for (const Change& change : changes_between(first, parse_json(all[rank]).get<Fingerprint>()))
      faults += "\n  " + change.key + ": rank 0 has " + change.was + ", rank " + std::to_string(rank) + " has " + change.now;
  }
  if (!faults.empty()) fail_usage("ranks", "expected all ranks to be started alike; they are not:" + faults);
}

void expect_equal_replicas(Communicator& communicator, const TrainedModels& models, int64_t last_equal, int64_t now) {
  if (communicator.world_size() == 1) return;
  const auto all = all_gather(communicator, content_of(models.arenas()));
  for (size_t rank = 1; rank < all.size(); ++rank) {
    GRPO_CHECK(all[rank] == all.front(), "train",
               "expected the same weights on all ranks; those of rank " + std::to_string(rank) + " drifted from rank 0's between step " +
                   std::to_string(last_equal) + " and step " + std::to_string(now) + "; nothing is saved, earlier checkpoints stand");
  }
}

}  // namespace grpo
