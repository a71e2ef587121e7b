#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "grpo/algorithm/config.h"
#include "grpo/algorithm/tally.h"
#include "token_tensors.h"

namespace grpo {

/// Values and which of them count.
struct Chosen {
  at::Tensor values;
  at::Tensor chosen;  // bool, same shape
};

/// Values [M] inside the mask (token level), or each sequence's mean [S].
Chosen at_level(const TokenTensors& pairs, const at::Tensor& values, ImportanceSamplingLevel level);

/// Gathers a loss's figures on the device; one copy brings them to the host.
class MetricList {
 public:
  void add(std::string name, Tally::Kind kind, const Chosen& values);
  Tallies read() const;

 private:
  struct Entry {
    std::string name;
    Tally::Kind kind;
  };
  std::vector<Entry> entries_;
  std::vector<at::Tensor> figures_;  // value, count of each entry: float64 scalars
};

}  // namespace grpo
