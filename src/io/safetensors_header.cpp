#include "io/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "core/json.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor files are little endian and read in place");

struct HeaderEntry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<uint64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;
};

/// Reads the header's one legal form straight from the JSON events: anything else fails at once, so a hostile header costs no memory.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& where) : where_(where) {}

  bool start_object(size_t) override {
    if (state_ == State::kBegin) return enter(State::kNames);
    if (state_ != State::kNames) return unexpected("an object");
    if (name_ == "__metadata__") return enter(State::kMetadata);
    entries.push_back({name_, {}, {}, {}});
    return enter(State::kFields);
  }
  bool end_object() override {
    if (state_ == State::kFields) {
      const HeaderEntry& entry = entries.back();
      GRPO_CHECK(entry.dtype && entry.shape && entry.offsets, where_, "expected dtype, shape and data_offsets; got less for " + entry.name);
    }
    return enter(state_ == State::kNames ? State::kEnd : State::kNames);
  }
  bool key(string_t& text) override {
    if (state_ == State::kFields) return select_field(text);
    const bool added = state_ == State::kNames ? names_.insert(text).second : metadata.emplace(text, "").second;
    GRPO_CHECK(added, where_, "expected unique names; got \"" + text + "\" twice");
    name_ = text;
    return true;
  }
  bool string(string_t& text) override {
    if (state_ == State::kMetadata) {
      metadata[name_] = text;
      return true;
    }
    if (state_ != State::kFields || field_ != Field::kDtype) return unexpected("a string");
    try {
      entries.back().dtype = parse_dtype(text);
    } catch (const Error& error) {
      fail(where_, "expected a known dtype for " + entries.back().name + "; got: " + error.what());
    }
    return true;
  }
  bool start_array(size_t) override {
    if (state_ != State::kFields || field_ == Field::kDtype) return unexpected("an array");
    (field_ == Field::kShape ? entries.back().shape : entries.back().offsets).emplace();
    return enter(State::kNumbers);
  }
  bool end_array() override { return enter(State::kFields); }
  bool number_unsigned(number_unsigned_t value) override {
    if (state_ != State::kNumbers) return unexpected("a number");
    (field_ == Field::kShape ? entries.back().shape : entries.back().offsets)->push_back(value);
    return true;
  }
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return unexpected("a number that is no unsigned integer"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    fail(where_, std::string("expected a header of valid JSON; got: ") + error.what());
  }

  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;

 private:
  enum class State { kBegin, kNames, kFields, kNumbers, kMetadata, kEnd };
  enum class Field { kDtype, kShape, kOffsets };

  bool enter(State state) {
    state_ = state;
    return true;
  }
  bool select_field(const std::string& text) {
    const HeaderEntry& entry = entries.back();
    const bool is_dtype = text == "dtype", is_shape = text == "shape";
    GRPO_CHECK(is_dtype || is_shape || text == "data_offsets", where_,
               "expected dtype, shape or data_offsets; got the field \"" + text + "\" of " + entry.name);
    field_ = is_dtype ? Field::kDtype : is_shape ? Field::kShape : Field::kOffsets;
    const bool repeated = is_dtype ? entry.dtype.has_value() : is_shape ? entry.shape.has_value() : entry.offsets.has_value();
    GRPO_CHECK(!repeated, where_, "expected each field once; got \"" + text + "\" of " + entry.name + " twice");
    return true;
  }
  [[noreturn]] bool unexpected(std::string_view what) {
    fail(where_, "expected {name: {dtype, shape, data_offsets}} and string metadata; got " + std::string(what) + " in \"" + name_ + "\"");
  }

  const std::string& where_;
  State state_ = State::kBegin;
  Field field_ = Field::kDtype;
  std::string name_;
  std::set<std::string> names_;
};

std::string_view header_text(std::span<const std::byte> bytes, const std::string& where) {
  uint64_t length = 0;
  GRPO_CHECK(bytes.size() >= sizeof(length), where,
             "expected an 8-byte header length; got a file of " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&length, bytes.data(), sizeof(length));
  GRPO_CHECK(length <= kMaxSafetensorsHeader, where,
             "expected a header of at most 100000000 bytes; got a length of " + std::to_string(length));
  GRPO_CHECK(length <= bytes.size() - sizeof(length), where,
             "expected a header of " + std::to_string(length) + " bytes; got a file of " + std::to_string(bytes.size()));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length), length);
  GRPO_CHECK(text.starts_with('{'), where, "expected a header that starts with {; got something else: not a safetensors file?");
  // The JSON parser takes a NUL for the end of its input and would not look at what follows.
  GRPO_CHECK(text.find('\0') == std::string_view::npos, where, "expected a header of valid JSON; got a NUL byte");
  return text;
}

TensorEntry checked_entry(HeaderEntry& entry, std::span<const std::byte> data, const std::string& where) {
  const auto& offsets = *entry.offsets;
  GRPO_CHECK(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data.size(), where,
             "expected data_offsets [begin, end] within " + std::to_string(data.size()) + " bytes of data; got others for " + entry.name);
  TensorEntry result{std::move(entry.name), *entry.dtype, {}, data.subspan(offsets[0], offsets[1] - offsets[0])};
  for (const uint64_t dimension : *entry.shape) {
    GRPO_CHECK(dimension <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), where,
               "expected dimensions below 2^63; got " + std::to_string(dimension) + " in the shape of " + result.name);
    result.shape.push_back(static_cast<int64_t>(dimension));
  }
  const int64_t size = tensor_bytes(result.shape, result.dtype, where);
  GRPO_CHECK(
      static_cast<uint64_t>(size) == result.bytes.size(), where,
      "expected " + std::to_string(size) + " bytes by dtype and shape of " + result.name + "; got " + std::to_string(result.bytes.size()));
  return result;
}

/// Every byte of the data belongs to exactly one tensor.
void check_tiling(const std::vector<TensorEntry>& tensors, std::span<const std::byte> data, const std::string& where) {
  std::vector<std::span<const std::byte>> pieces;
  for (const TensorEntry& tensor : tensors) pieces.push_back(tensor.bytes);
  std::sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) {
    return a.data() != b.data() ? a.data() < b.data() : a.size() < b.size();  // empty tensors before the one they touch
  });
  const std::byte* end = data.data();
  for (const auto& piece : pieces) {
    GRPO_CHECK(piece.data() == end, where,
               "expected tensors without holes or overlaps; got one at byte " + std::to_string(piece.data() - data.data()) +
                   " of the data after " + std::to_string(end - data.data()));
    end = piece.data() + piece.size();
  }
  const auto used = static_cast<size_t>(end - data.data());
  GRPO_CHECK(used == data.size(), where,
             "expected " + std::to_string(used) + " bytes of data by the header; got " + std::to_string(data.size()));
}

}  // namespace

int64_t tensor_bytes(const std::vector<int64_t>& shape, DType dtype, const std::string& where) {
  int64_t size = size_of(dtype);
  for (const int64_t dimension : shape) {
    GRPO_CHECK(dimension >= 0, where, "expected dimensions of at least 0; got " + std::to_string(dimension));
    GRPO_CHECK(!__builtin_mul_overflow(size, dimension, &size), where, "expected a tensor below 2^63 bytes; got a larger shape");
  }
  return size;
}

std::vector<TensorEntry> parse_safetensors_at(std::span<const std::byte> bytes, std::map<std::string, std::string>* metadata,
                                              const std::string& where) {
  const std::string_view header = header_text(bytes, where);
  HeaderReader reader(where);
  read_json(header, reader);
  const auto data = bytes.subspan(sizeof(uint64_t) + header.size());
  std::vector<TensorEntry> tensors;
  for (HeaderEntry& entry : reader.entries) tensors.push_back(checked_entry(entry, data, where));
  check_tiling(tensors, data, where);
  std::sort(tensors.begin(), tensors.end(), [](const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; });
  if (metadata != nullptr) *metadata = std::move(reader.metadata);
  return tensors;
}

std::vector<TensorEntry> parse_safetensors(std::span<const std::byte> bytes, std::map<std::string, std::string>* metadata) {
  return parse_safetensors_at(bytes, metadata, "parse_safetensors");
}

int64_t TensorEntry::numel() const {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

}  // namespace grpo
