#pragma once

#include <atomic>
#include <string_view>

#include "grpo/core/error.h"

namespace grpo {

/// Refuses a call while another one on the same object goes on, in another thread or around it.
class OneCaller {
 public:
  OneCaller(std::atomic<bool>& busy, std::string_view where) : busy_(busy) {
    if (busy_.exchange(true))
      fail_usage(where, "expected one call at a time; got one while another goes on, from another thread or its own callback");
  }
  ~OneCaller() { busy_ = false; }
  OneCaller(const OneCaller&) = delete;
  OneCaller& operator=(const OneCaller&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace grpo
