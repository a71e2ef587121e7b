#include "policy/content.h"

#include <initializer_list>
#include <string_view>

#include "grpo/text/tokenizer.h"
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
  for (const auto& answer : problem.further_answers) all += joined({answer});
  for (const Message& message : problem.messages) all += joined({message.role, message.content, message.members});
  for (const auto& [name, value] : problem.fields) all += joined({name, value});
  return all;
}

}  // namespace

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

}  // namespace grpo
