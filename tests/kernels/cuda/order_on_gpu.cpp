#include "order.h"

void grpo::kernels::testing::set_order(uint64_t /*seed*/) {}
