#include "grpo/model/arena.h"

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <numeric>
#include <utility>

#include "grpo/core/error.h"

namespace grpo {

int64_t ParameterSlot::numel() const { return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()); }

namespace {

constexpr int64_t kAlignment = 16;  // elements: 64 bytes of float32, so that kernels see aligned matrices

at::Tensor view_of(const at::Tensor& flat, const ParameterSlot& slot) { return flat.narrow(0, slot.offset, slot.numel()).view(slot.shape); }

}  // namespace

ParameterArena::ParameterArena(std::string name, std::vector<ParameterSlot> slots, at::ScalarType dtype, at::Device device)
    : name_(std::move(name)), slots_(std::move(slots)) {
  for (auto& slot : slots_) {
    slot.offset = numel_;
    numel_ += (slot.numel() + kAlignment - 1) / kAlignment * kAlignment;
  }
  const c10::NoGradGuard no_grad;
  flat_ = at::zeros({numel_}, at::TensorOptions().dtype(dtype).device(device));
  for (const auto& slot : slots_) leaves_.push_back(view_of(flat_, slot).detach().set_requires_grad(true));
}

const at::Tensor& ParameterArena::flat_grad() {
  GRPO_CHECK(!frozen_, "flat_grad", "expected an arena that is trained; got the frozen " + name_);
  if (!flat_grad_.defined()) {
    const c10::NoGradGuard no_grad;
    flat_grad_ = at::zeros_like(flat_);
    for (size_t i = 0; i < leaves_.size(); ++i) leaves_[i].mutable_grad() = view_of(flat_grad_, slots_[i]);
  }
  return flat_grad_;
}

int64_t ParameterArena::version() const { return static_cast<int64_t>(flat_._version()); }

void ParameterArena::mark_written() { flat_.unsafeGetTensorImpl()->bump_version(); }

void ParameterArena::zero_grad() {
  const c10::NoGradGuard no_grad;
  if (flat_grad_.defined()) flat_grad_.zero_();
}

void ParameterArena::release_grad() {
  for (auto& leaf : leaves_) leaf.mutable_grad() = at::Tensor();
  flat_grad_ = at::Tensor();
}

void ParameterArena::freeze(bool frozen) {
  if (frozen) release_grad();
  frozen_ = frozen;
  for (auto& leaf : leaves_) leaf.set_requires_grad(!frozen);
}

std::vector<NamedParameter> ParameterArena::named() const {
  const c10::NoGradGuard no_grad;
  std::vector<NamedParameter> found;
  for (const auto& slot : slots_) {
    for (const auto& piece : slot.pieces) {
      NamedParameter parameter{piece.name, view_of(flat_, slot).narrow(0, piece.row, piece.rows), {}, slot.decay};
      if (flat_grad_.defined()) parameter.grad = view_of(flat_grad_, slot).narrow(0, piece.row, piece.rows);
      found.push_back(std::move(parameter));
    }
  }
  return found;
}

}  // namespace grpo
