// A real GPU: whoever runs this without one sees its tests fail.
#include "support/place.h"

namespace grpo::testing {

std::vector<Place> places() { return {{"Cuda", at::kCUDA, at::kFloat, true}, {"CudaBf16", at::kCUDA, at::kBFloat16, true}}; }
At::At(const Place& /*place*/) {}
At::~At() = default;
void set_order(uint64_t /*seed*/) {}
void allow_flash(bool /*allowed*/) {}

}  // namespace grpo::testing
