#include "io/gguf_parse.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>

#include "grpo/core/error.h"
#include "io/gguf_layout.h"

namespace grpo {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little endian and read in place");

constexpr uint32_t kMaxDimensions = 4;  // GGML_MAX_DIMS
constexpr uint64_t kDefaultAlignment = 32;

enum ValueType : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

/// Reads forward through untrusted bytes: every read and every count is checked against what is left.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  template <typename T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof(T)), sizeof(T));
    return value;
  }
  std::string string() {
    const uint64_t length = count(1);
    return {reinterpret_cast<const char*>(take(length)), length};
  }
  bool boolean() {
    const auto value = read<uint8_t>();
    GRPO_CHECK(value <= 1, where_, "expected a boolean of 0 or 1; got " + std::to_string(value));
    return value == 1;
  }
  /// A number of items that each take at least `item_bytes`.
  uint64_t count(uint64_t item_bytes) {
    const auto value = read<uint64_t>();
    GRPO_CHECK(value <= left() / item_bytes, where_,
               "expected counts that fit the file; got " + std::to_string(value) + " items before byte " + std::to_string(position_) +
                   " with " + std::to_string(left()) + " bytes left");
    return value;
  }
  size_t position() const { return position_; }

 private:
  size_t left() const { return bytes_.size() - position_; }
  const std::byte* take(size_t size) {
    GRPO_CHECK(size <= left(), where_,
               "expected " + std::to_string(size) + " more bytes at " + std::to_string(position_) + "; got the end of the file");
    const std::byte* data = bytes_.data() + position_;
    position_ += size;
    return data;
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  size_t position_ = 0;
};

template <typename Stored, typename Read>
std::vector<Stored> read_items(Cursor& cursor, uint64_t item_bytes, Read read) {
  const uint64_t count = cursor.count(item_bytes);
  std::vector<Stored> items;
  items.reserve(count);
  for (uint64_t i = 0; i < count; ++i) items.push_back(read());
  return items;
}

template <typename Raw, typename Stored>
GgufValue read_numbers(Cursor& cursor, bool array) {
  const auto read = [&] { return static_cast<Stored>(cursor.read<Raw>()); };
  if (array) return read_items<Stored>(cursor, sizeof(Raw), read);
  return read();
}

GgufValue read_strings(Cursor& cursor, bool array) {
  if (array) return read_items<std::string>(cursor, sizeof(uint64_t), [&] { return cursor.string(); });
  return cursor.string();
}

GgufValue read_booleans(Cursor& cursor, bool array) {
  if (array) return read_items<bool>(cursor, 1, [&] { return cursor.boolean(); });
  return cursor.boolean();
}

GgufValue read_value(Cursor& cursor, uint32_t type, bool array, const std::string& key, const std::string& where) {
  switch (type) {
    case kU8:
      return read_numbers<uint8_t, uint64_t>(cursor, array);
    case kI8:
      return read_numbers<int8_t, int64_t>(cursor, array);
    case kU16:
      return read_numbers<uint16_t, uint64_t>(cursor, array);
    case kI16:
      return read_numbers<int16_t, int64_t>(cursor, array);
    case kU32:
      return read_numbers<uint32_t, uint64_t>(cursor, array);
    case kI32:
      return read_numbers<int32_t, int64_t>(cursor, array);
    case kU64:
      return read_numbers<uint64_t, uint64_t>(cursor, array);
    case kI64:
      return read_numbers<int64_t, int64_t>(cursor, array);
    case kF32:
      return read_numbers<float, double>(cursor, array);
    case kF64:
      return read_numbers<double, double>(cursor, array);
    case kBool:
      return read_booleans(cursor, array);
    case kString:
      return read_strings(cursor, array);
    case kArray:
      GRPO_CHECK(!array, where, "expected arrays of plain values; got an array of arrays for " + key);
      return read_value(cursor, cursor.read<uint32_t>(), true, key, where);
    default:
      fail(where, "expected a metadata type from 0 to 12; got " + std::to_string(type) + " for " + key);
  }
}

uint64_t data_alignment(const std::map<std::string, GgufValue>& metadata, const std::string& where) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return kDefaultAlignment;
  const auto* value = std::get_if<uint64_t>(&found->second);
  GRPO_CHECK(value != nullptr && std::has_single_bit(*value) && *value <= std::numeric_limits<uint32_t>::max(), where,
             "expected general.alignment to be an unsigned power of two; got something else");
  return *value;
}

/// A tensor's header. Sets `size`, the bytes of its data; `offset` is still relative to the data section.
GgufTensor read_tensor(Cursor& cursor, uint64_t& size, const std::string& where) {
  GgufTensor tensor;
  tensor.name = cursor.string();
  const auto dimensions = cursor.read<uint32_t>();
  GRPO_CHECK(dimensions <= kMaxDimensions, where,
             "expected at most 4 dimensions; got " + std::to_string(dimensions) + " for " + tensor.name);
  for (uint32_t i = 0; i < dimensions; ++i) tensor.shape.insert(tensor.shape.begin(), cursor.read<int64_t>());
  int64_t count = 1;
  for (const int64_t dimension : tensor.shape) {
    GRPO_CHECK(dimension >= 0 && !__builtin_mul_overflow(count, dimension, &count), where,
               "expected a shape of less than 2^63 values; got a larger one for " + tensor.name);
  }
  const auto type = cursor.read<uint32_t>();
  const GgufLayout* layout = find_gguf_layout(type);
  GRPO_CHECK(layout != nullptr, where,
             "expected a tensor type of " + known_gguf_types() + "; got " + gguf_type_name(type) + " for " + tensor.name);
  tensor.type = layout->type;
  const int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  GRPO_CHECK(
      row % layout->elements == 0, where,
      "expected rows of whole " + std::string(layout->name) + " blocks; got rows of " + std::to_string(row) + " values in " + tensor.name);
  GRPO_CHECK(!__builtin_mul_overflow(static_cast<uint64_t>(count / layout->elements), static_cast<uint64_t>(layout->bytes), &size), where,
             "expected a tensor below 2^64 bytes; got a larger one: " + tensor.name);
  tensor.offset = cursor.read<uint64_t>();
  return tensor;
}

/// Turns the relative offset into the file's and sets `bytes`.
void place_tensor(GgufTensor& tensor, uint64_t size, uint64_t data_start, uint64_t alignment, std::span<const std::byte> file,
                  const std::string& where) {
  GRPO_CHECK(
      tensor.offset % alignment == 0, where,
      "expected offsets in multiples of " + std::to_string(alignment) + "; got " + std::to_string(tensor.offset) + " for " + tensor.name);
  const uint64_t room = data_start <= file.size() ? file.size() - data_start : 0;
  GRPO_CHECK(tensor.offset <= room && size <= room - tensor.offset, where,
             "expected " + std::to_string(size) + " bytes of data for " + tensor.name + " at " + std::to_string(tensor.offset) +
                 "; got a data section of " + std::to_string(room));
  tensor.offset += data_start;
  if (size > 0) tensor.bytes = file.subspan(tensor.offset, size);
}

void check_overlaps(const std::vector<GgufTensor>& tensors, const std::string& where) {
  std::vector<const GgufTensor*> filled;
  for (const GgufTensor& tensor : tensors) {
    if (!tensor.bytes.empty()) filled.push_back(&tensor);
  }
  std::sort(filled.begin(), filled.end(), [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < filled.size(); ++i) {
    GRPO_CHECK(filled[i]->offset >= filled[i - 1]->offset + filled[i - 1]->bytes.size(), where,
               "expected tensors that do not overlap; got " + filled[i - 1]->name + " and " + filled[i]->name);
  }
}

void read_tensors(Cursor& cursor, uint64_t count, std::span<const std::byte> file, GgufContents& contents, const std::string& where) {
  std::vector<uint64_t> sizes;
  std::set<std::string_view> names;
  contents.tensors.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    contents.tensors.push_back(read_tensor(cursor, sizes.emplace_back(), where));
    const std::string& name = contents.tensors.back().name;
    GRPO_CHECK(names.insert(name).second, where, "expected unique tensor names; got \"" + name + "\" twice");
  }
  const uint64_t alignment = data_alignment(contents.metadata, where);
  const uint64_t data_start = (cursor.position() + alignment - 1) / alignment * alignment;
  for (uint64_t i = 0; i < count; ++i) place_tensor(contents.tensors[i], sizes[i], data_start, alignment, file, where);
  check_overlaps(contents.tensors, where);
}

}  // namespace

GgufContents parse_gguf_at(std::span<const std::byte> bytes, const std::string& where) {
  constexpr uint64_t kMinPair = 13, kMinTensor = 24;  // an empty key, a type and one byte; an empty name, no dimensions, type and offset
  Cursor cursor(bytes, where);
  constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
  GRPO_CHECK(cursor.read<uint32_t>() == kMagic, where, "expected a file that starts with GGUF; got other bytes");
  GgufContents contents;
  contents.version = cursor.read<uint32_t>();
  GRPO_CHECK(contents.version == 2 || contents.version == 3, where,
             "expected GGUF version 2 or 3, little endian; got " + std::to_string(contents.version));
  const uint64_t tensor_count = cursor.count(kMinTensor);
  const uint64_t pair_count = cursor.count(kMinPair);
  for (uint64_t i = 0; i < pair_count; ++i) {
    const std::string key = cursor.string();
    const auto type = cursor.read<uint32_t>();
    GRPO_CHECK(contents.metadata.emplace(key, read_value(cursor, type, false, key, where)).second, where,
               "expected unique metadata keys; got \"" + key + "\" twice");
  }
  read_tensors(cursor, tensor_count, bytes, contents, where);
  return contents;
}

}  // namespace grpo
