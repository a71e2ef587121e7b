#include "trainer/prompts.h"

#include "grpo/model/transformer.h"
#include "trainer/overlong.h"

namespace grpo {

std::vector<Policy::EncodedPrompt> encode_prompts(const Policy& policy, std::vector<Problem>& problems, const DataSection& data) {
  std::vector<Policy::EncodedPrompt> prompts;
  for (const Problem& problem : problems) prompts.push_back(policy.encode_prompt(problem, data.prompt));
  leave_out_overlong(
      problems, prompts, policy.model->config().max_position_embeddings, data.overlong_prompts,
      [](const Policy::EncodedPrompt& prompt) { return static_cast<int64_t>(prompt.ids.size()) + 1; });  // room for one token
  return prompts;
}

}  // namespace grpo
