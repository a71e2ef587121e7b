#include "trainer/data_order.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include "grpo/core/random.h"

namespace grpo {

int64_t DataOrder::next() {
  if (taken_ / items_ != epoch_) shuffle(taken_ / items_);
  return order_[static_cast<size_t>(taken_++ % items_)];
}

std::vector<int64_t> DataOrder::next(int64_t count) {
  std::vector<int64_t> items;
  for (int64_t i = 0; i < count; ++i) items.push_back(next());
  return items;
}

void DataOrder::shuffle(int64_t epoch) {
  epoch_ = epoch;
  order_.resize(static_cast<size_t>(items_));
  std::iota(order_.begin(), order_.end(), 0);
  Random random(seed_, static_cast<uint64_t>(epoch) + 1);
  for (int64_t i = shuffle_ ? items_ - 1 : 0; i > 0; --i)
    std::swap(order_[static_cast<size_t>(i)], order_[static_cast<size_t>(random.uniform_int(0, i))]);
}

}  // namespace grpo
