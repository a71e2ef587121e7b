#include "trainer/mini_batches.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/io/safetensors.h"

namespace grpo {
namespace {

constexpr auto kFile = "rollout.safetensors";
constexpr std::pair<const char*, at::Tensor Batch::*> kTensors[] = {
    {"advantages", &Batch::advantages},     {"mask", &Batch::mask},   {"old_logprobs", &Batch::old_logprobs},
    {"ref_logprobs", &Batch::ref_logprobs}, {"draws", &Batch::draws}, {"sampling_logprobs", &Batch::sampling_logprobs}};
constexpr std::string_view kColumn = "column.";  // before the name of one of Batch::columns

template <class T>
TensorEntry entry_of(const std::string& name, DType dtype, std::span<const T> values) {
  return {.name = name, .dtype = dtype, .shape = {static_cast<int64_t>(values.size())}, .bytes = std::as_bytes(values)};
}

std::vector<int64_t> integers(const Safetensors& file, const std::string& name) {
  const TensorEntry* entry = file.find(name);
  GRPO_CHECK(entry != nullptr && entry->dtype == DType::kI64, "checkpoint", "expected int64 " + name + " in " + std::string(kFile));
  std::vector<int64_t> values(static_cast<size_t>(entry->numel()));
  std::memcpy(values.data(), entry->bytes.data(), entry->bytes.size());
  return values;
}

at::Tensor floats(const TensorEntry& entry, int64_t pairs) {
  GRPO_CHECK(entry.dtype == DType::kF32 && entry.numel() == pairs, "checkpoint",
             "expected float32 " + entry.name + " of " + std::to_string(pairs) + " elements in " + std::string(kFile));
  at::Tensor tensor = at::empty({pairs}, at::kFloat);
  std::memcpy(tensor.data_ptr<float>(), entry.bytes.data(), entry.bytes.size());
  return tensor;
}

/// What packs a batch anew: of each sequence its group, its age and its lengths; all ids, prompts first.
struct Sequences {
  std::vector<int64_t> groups, born_at_step, prompt_lengths, lengths, ids;
};

Sequences sequences_of(const Batch& batch) {
  Sequences all{.groups = batch.groups, .born_at_step = batch.born_at_step, .prompt_lengths = {}, .lengths = {}, .ids = {}};
  for (const auto& segment : batch.segments) {
    if (segment.prefix_end == segment.prefix_begin) continue;
    all.prompt_lengths.push_back(segment.prefix_end - segment.prefix_begin);
    all.lengths.push_back(segment.end - segment.begin);
    all.ids.insert(all.ids.end(), batch.tokens.begin() + segment.prefix_begin, batch.tokens.begin() + segment.prefix_end);
    all.ids.insert(all.ids.end(), batch.tokens.begin() + segment.begin, batch.tokens.begin() + segment.end);
  }
  return all;
}

Batch packed(const Sequences& all) {
  const std::vector<int32_t> ids(all.ids.begin(), all.ids.end());
  std::vector<Sequence> sequences;
  size_t at = 0;
  const auto take = [&](int64_t length) {
    GRPO_CHECK(length > 0 && static_cast<size_t>(length) <= ids.size() - at, "checkpoint",
               "expected the ids of every sequence in " + std::string(kFile) + "; got fewer");
    at += static_cast<size_t>(length);
    return std::span(ids).subspan(at - static_cast<size_t>(length), static_cast<size_t>(length));
  };
  for (size_t s = 0; s < all.groups.size(); ++s) {
    const auto prompt = take(all.prompt_lengths.at(s));
    sequences.push_back({.group = all.groups[s],
                         .prompt_ids = prompt,
                         .ids = take(all.lengths.at(s)),
                         .logprobs = {},
                         .born_at_step = all.born_at_step.at(s)});
  }
  return make_batch(sequences, {});
}

}  // namespace

MiniBatches::MiniBatches(const AlgorithmSection& config, Communicator& communicator)
    : communicator_(communicator), most_parts_(config.steps_per_generation), passes_(config.num_iterations) {}

void MiniBatches::begin(Batch batch, int64_t sequences_per_example, const RolloutInfo& rollout) {
  batch_ = std::move(batch);
  sequences_per_example_ = sequences_per_example;
  rollout_ = rollout;
  parts_ = std::min(most_parts_, batch_.num_sequences() / sequences_per_example);
  steps_ = parts_ * passes_;
  done_ = 0;
}

Batch MiniBatches::share() const {
  const int64_t part = done_ % parts_, examples = batch_.num_sequences() / sequences_per_example_;
  const int64_t begin = examples * part / parts_, end = examples * (part + 1) / parts_;
  const Share share = share_of(end - begin, communicator_);
  if (share.size() == 0) return {};
  if (share.size() == examples) return batch_;
  std::vector<int64_t> chosen(static_cast<size_t>(share.size() * sequences_per_example_));
  std::iota(chosen.begin(), chosen.end(), (begin + share.begin) * sequences_per_example_);
  return batch_.select(chosen);
}

void MiniBatches::advance() {
  if (++done_ == steps_) clear();
}

void MiniBatches::clear() {
  batch_ = {};
  steps_ = done_ = 0;
}

void MiniBatches::describe_state(ConfigVisitor& v) {
  v.field("parts", parts_, "", kNonNegative);
  v.field("sequences_per_example", sequences_per_example_, "", kPositive);
  v.field("steps", steps_, "", kNonNegative);
  v.field("done", done_, "", kNonNegative);
  v.field("rollout", rollout_.number, "", kNonNegative);
  v.field("temperature", rollout_.temperature, "", kPositive);
}

void MiniBatches::save(const std::filesystem::path& folder) const {
  if (empty()) return;
  const Sequences all = sequences_of(batch_);
  std::vector<TensorEntry> entries;
  for (const auto& [name, values] : {std::pair("groups", &all.groups),
                                     {"born_at_step", &all.born_at_step},
                                     {"prompt_lengths", &all.prompt_lengths},
                                     {"lengths", &all.lengths},
                                     {"ids", &all.ids}})
    entries.push_back(entry_of(name, DType::kI64, std::span<const int64_t>(*values)));
  std::vector<at::Tensor> owned;
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    const at::Tensor& here = owned.emplace_back(tensor.to(at::kCPU, at::kFloat).contiguous());
    entries.push_back(entry_of(name, DType::kF32, std::span(here.const_data_ptr<float>(), static_cast<size_t>(here.numel()))));
  };
  for (const auto& [name, member] : kTensors) {
    if ((batch_.*member).defined()) add(name, batch_.*member);
  }
  for (const auto& [name, column] : batch_.columns) add(std::string(kColumn) + name, column);
  write_safetensors(folder / kFile, entries);
}

void MiniBatches::load(const std::filesystem::path& folder) {
  if (empty()) return;
  const auto file = Safetensors::open(folder / kFile);
  batch_ = packed({.groups = integers(file, "groups"),
                   .born_at_step = integers(file, "born_at_step"),
                   .prompt_lengths = integers(file, "prompt_lengths"),
                   .lengths = integers(file, "lengths"),
                   .ids = integers(file, "ids")});
  const int64_t pairs = batch_.num_pairs(), examples = batch_.num_sequences() / sequences_per_example_;
  GRPO_CHECK(parts_ >= 1 && parts_ <= examples && done_ < steps_, "checkpoint",
             "expected at least as many examples as parts in " + std::string(kFile) + "; got fewer");
  for (const auto& [name, member] : kTensors) {
    if (const TensorEntry* entry = file.find(name)) batch_.*member = floats(*entry, pairs);
  }
  for (const TensorEntry& entry : file.tensors()) {
    if (entry.name.starts_with(kColumn)) batch_.columns[entry.name.substr(kColumn.size())] = floats(entry, pairs);
  }
}

}  // namespace grpo
