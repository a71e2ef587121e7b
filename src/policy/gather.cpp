#include "policy/gather.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <iterator>
#include <type_traits>

#include "grpo/core/error.h"
#include "policy/experience_fields.h"

namespace grpo {
namespace {

template <class Archive>
void fields(Archive& a, PlacedSample& placed) {
  a("group", placed.group);
  a("place", placed.place);
  a("sample", placed.sample);
}

template <class Archive>
void fields(Archive& a, Tally& tally) {
  a("kind", tally.kind);
  a("value", tally.value);
  a("count", tally.count);
}

template <class Archive, class First, class Second>
void fields(Archive& a, std::pair<First, Second>& pair) {
  a("first", pair.first);
  a("second", pair.second);
}

template <class T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <class T>
concept Sized = requires(T value) {
  value.resize(1);
};

/// Appends values to bytes.
class BinaryWriter {
 public:
  template <class T>
  void operator()(const char* /*name*/, T& value) {
    add(value);
  }
  template <class T>
  void add(T& value) {
    if constexpr (Plain<T>) {
      raw(&value, sizeof value);
    } else if constexpr (Sized<T>) {
      const size_t size = value.size();
      raw(&size, sizeof size);
      if constexpr (Plain<typename T::value_type>) {
        raw(value.data(), size * sizeof(typename T::value_type));
      } else {
        for (auto& element : value) add(element);
      }
    } else {
      fields(*this, value);
    }
  }
  std::string bytes;

 private:
  void raw(const void* data, size_t size) { bytes.append(static_cast<const char*>(data), size); }
};

/// Takes them from there, in the same order.
class BinaryReader {
 public:
  explicit BinaryReader(const std::string& bytes) : bytes_(bytes) {}
  template <class T>
  void operator()(const char* /*name*/, T& value) {
    take(value);
  }
  template <class T>
  void take(T& value) {
    if constexpr (Plain<T>) {
      raw(&value, sizeof value);
    } else if constexpr (Sized<T>) {
      size_t size = 0;
      raw(&size, sizeof size);
      GRPO_CHECK(size <= bytes_.size(), "gather", "expected the samples of another rank; got something else");
      value.resize(size);
      if constexpr (Plain<typename T::value_type>) {
        raw(value.data(), size * sizeof(typename T::value_type));
      } else {
        for (auto& element : value) take(element);
      }
    } else {
      fields(*this, value);
    }
  }

 private:
  void raw(void* data, size_t size) {
    GRPO_CHECK(size <= bytes_.size() - at_, "gather", "expected more bytes of another rank's samples; got fewer");
    std::memcpy(data, bytes_.data() + at_, size);
    at_ += size;
  }
  const std::string& bytes_;
  size_t at_ = 0;
};

/// What each rank has, in the order of ranks.
template <class T>
std::vector<T> of_all_ranks(Communicator& communicator, T& mine) {
  BinaryWriter writer;
  writer.add(mine);
  std::vector<T> all;
  for (const auto& bytes : all_gather(communicator, writer.bytes)) BinaryReader(bytes).take(all.emplace_back());
  return all;
}

/// A list becomes the lists of all ranks, one after the other.
template <class T>
void join(Communicator& communicator, std::vector<T>& list) {
  if (communicator.world_size() == 1) return;
  auto all = of_all_ranks(communicator, list);
  list.clear();
  for (auto& more : all) list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// A map as a list, which archives know.
template <class Value>
std::vector<std::pair<std::string, Value>> listed(const std::map<std::string, Value>& map) {
  return {map.begin(), map.end()};
}

}  // namespace

void gather(Communicator& communicator, Experience& experience, const std::vector<Problem>& problems) {
  join(communicator, experience);
  for (Group& group : experience) group.problem = &problems.at(static_cast<size_t>(group.item));
}

void gather(Communicator& communicator, Experience& experience, const std::vector<const Problem*>& problems) {
  join(communicator, experience);
  for (Group& group : experience) group.problem = problems.at(static_cast<size_t>(group.item));
}

void gather(Communicator& communicator, std::vector<PlacedSample>& samples) { join(communicator, samples); }

void gather(Communicator& communicator, std::map<std::string, std::pair<double, int64_t>>& sums) {
  auto list = listed(sums);
  join(communicator, list);
  sums.clear();
  for (const auto& [name, sum] : list) sums[name].first += sum.first, sums[name].second += sum.second;
}

void gather(Communicator& communicator, Tallies& tallies) {
  if (communicator.world_size() == 1) return;
  auto list = listed(tallies);
  const auto all = of_all_ranks(communicator, list);
  tallies.clear();
  for (const auto& more : all) merge(tallies, Tallies(more.begin(), more.end()));
}

at::Tensor gather(Communicator& communicator, const at::Tensor& values) {
  if (communicator.world_size() == 1) return values;
  const at::Tensor mine = values.to(at::kCPU, at::kFloat).contiguous();
  std::string all;
  for (const auto& bytes : all_gather(communicator, {static_cast<const char*>(mine.const_data_ptr()), mine.nbytes()})) all += bytes;
  at::Tensor result = at::empty({static_cast<int64_t>(all.size() / sizeof(float))}, at::kFloat);
  std::memcpy(result.data_ptr<float>(), all.data(), all.size());
  return result;
}

}  // namespace grpo
