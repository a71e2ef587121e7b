#pragma once

#include "../device.h"
#include "runtime.cuh"

namespace grpo::kernels {

/// Calls `work` with a value of the C++ type that `element` names.
template <class Work>
void for_element(device::Element element, const Work& work) {
  if (element == device::Element::kF32) {
    work(float{});
  } else {
    work(bf16{});
  }
}

}  // namespace grpo::kernels
