// Uses an installed grpo through its public headers only. Oracle: Philox4x32-10's published answer for counter 0 and key 0.
#include <grpo/core/error.h>
#include <grpo/core/random.h>
#include <grpo/version.h>

#include <array>
#include <cstdint>
#include <string>

#if __has_include(<ATen/core/Tensor.h>)
#error "torch's headers reach a file that needs none"
#endif

int main() {
  if (grpo::philox4x32({}, {}) != std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}) return 1;
  const std::string headers =
      std::to_string(GRPO_VERSION_MAJOR) + "." + std::to_string(GRPO_VERSION_MINOR) + "." + std::to_string(GRPO_VERSION_PATCH);
  if (grpo::version() != headers) return 2;
  try {
    grpo::fail("consumer", "expected an exception");
  } catch (const grpo::Error&) {  // must cross the library's border
    return 0;
  }
  return 3;
}
