#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// A run of rows of a slot that has a name of its own in Hugging Face checkpoints (q_proj within [q; k; v]).
struct ParameterPiece {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  int64_t row = 0, rows = 0;
};

/// One matrix or vector of an arena.
struct ParameterSlot {
  std::vector<int64_t> shape;
  bool decay = true;  // weight decay applies: matrices yes, norms and biases no
  std::vector<ParameterPiece> pieces;
  int64_t offset = 0;  // elements from the arena's start
  int64_t numel() const;
};

/// A view of one named parameter.
struct NamedParameter {
  std::string name;
  at::Tensor value;  // shares the arena's memory
  at::Tensor grad;   // likewise; undefined until gradients are allocated
  bool decay = true;
};

/// One flat buffer of parameters, its gradient of the same layout, and autograd leaves that are views of both.
/// Optimisers, sharding and the decode engine work on the flat buffers; addresses stay fixed.
class ParameterArena {
 public:
  ParameterArena(std::string name, std::vector<ParameterSlot> slots, at::ScalarType dtype, at::Device device);

  const std::string& name() const { return name_; }
  int64_t numel() const { return numel_; }
  const std::vector<ParameterSlot>& slots() const { return slots_; }

  /// [numel], the weights themselves.
  const at::Tensor& flat() const { return flat_; }
  /// [numel], allocated (zeroed) on the first call.
  const at::Tensor& flat_grad();
  /// Counts writes to the weights. Every operation of torch that writes to `flat()`, to a leaf or to a named parameter is counted by torch
  /// itself (its version counter, which views share); whoever writes through a pointer, or by a collective, calls `mark_written`.
  int64_t version() const;
  void mark_written();

  bool has_grad() const { return flat_grad_.defined(); }
  /// Zeroes the gradient; views stay bound.
  void zero_grad();
  /// Frees the gradient buffer; the next flat_grad() allocates again.
  void release_grad();
  /// A frozen arena's leaves ask for no gradient, and it has none: flat_grad() throws. Frees a gradient that was there.
  void freeze(bool frozen = true);
  bool frozen() const { return frozen_; }

  /// The slot's autograd leaf, [shape]. Its .grad is bound to the gradient buffer once that exists.
  const at::Tensor& leaf(size_t slot) const { return leaves_[slot]; }
  /// One named parameter per piece.
  std::vector<NamedParameter> named() const;

 private:
  std::string name_;
  std::vector<ParameterSlot> slots_;
  int64_t numel_ = 0;
  at::Tensor flat_, flat_grad_;
  std::vector<at::Tensor> leaves_;
  bool frozen_ = false;
};

}  // namespace grpo
