#pragma once

#include <cstdint>
#include <vector>

namespace grpo {

/// The endlessly repeated training data, in a new seeded order each epoch.
class DataOrder {
 public:
  /// Without `shuffle` every epoch has the data's own order.
  DataOrder(int64_t items, bool shuffle, uint64_t seed) : items_(items), shuffle_(shuffle), seed_(seed) {}

  /// The place in the data of the next item.
  int64_t next();
  std::vector<int64_t> next(int64_t count);

  int64_t taken() const { return taken_; }
  void restore(int64_t taken) { taken_ = taken; }
  double epochs() const { return static_cast<double>(taken_) / static_cast<double>(items_); }

 private:
  void shuffle(int64_t epoch);

  int64_t items_;
  bool shuffle_;
  uint64_t seed_;
  int64_t taken_ = 0;
  std::vector<int64_t> order_;  // of the items in an epoch, made once
  int64_t epoch_ = -1;          // that it is of
};

}  // namespace grpo
