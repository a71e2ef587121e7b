#include "grpo/io/event_file.h"

#include <unistd.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <exception>
#include <system_error>

#include "grpo/core/error.h"
#include "io/crc32c.h"
#include "io/posix.h"

namespace grpo {
namespace {

constexpr size_t kFlushBytes = 1 << 20;

// Field numbers of tensorflow's event.proto, summary.proto, tensor.proto and tensor_shape.proto.
namespace event {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session {
constexpr int kStatus = 1, kStart = 1;
}
namespace summary {
constexpr int kValue = 1, kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9, kPluginData = 1, kPluginName = 1;
}
namespace tensor {
constexpr int kDtype = 1, kShape = 2, kStringValue = 8, kDim = 2, kDimSize = 1, kString = 7;
}

/// Appends fields to a protocol buffer message.
class Message {
 public:
  Message& varint(int field, uint64_t value) {
    tag(field, 0);
    append_varint(value);
    return *this;
  }
  Message& number(int field, double value) {
    tag(field, 1);
    append_little_endian(bytes_, std::bit_cast<uint64_t>(value));
    return *this;
  }
  Message& number(int field, float value) {
    tag(field, 5);
    append_little_endian(bytes_, std::bit_cast<uint32_t>(value));
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    tag(field, 2);
    append_varint(value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }
  const std::string& str() const { return bytes_; }

  template <typename Unsigned>
  static void append_little_endian(std::string& bytes, Unsigned value) {
    for (size_t i = 0; i < sizeof(value); ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  }

 private:
  void tag(int field, uint64_t wire_type) { append_varint(static_cast<uint64_t>(field) << 3 | wire_type); }
  void append_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }

  std::string bytes_;
};

/// The checksum as TFRecord files store it (tensorflow/core/lib/hash/crc32c.h): rotated and offset.
uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u; }

double seconds_since_epoch() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::filesystem::path new_path(const std::filesystem::path& folder) {
  static std::atomic<uint64_t> counter{0};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  GRPO_CHECK(!error, "EventFile", "expected to make the folder " + folder.string() + "; got: " + error.message());
  const auto seconds = static_cast<int64_t>(seconds_since_epoch());
  return folder / ("events.out.tfevents." + std::to_string(seconds) + "." + posix::host_name() + "." + std::to_string(::getpid()) + "." +
                   std::to_string(counter++));
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& folder) : path_(new_path(folder)), file_(path_) {
  add_event(0, event::kFileVersion, "brain.Event:2");
  flush();
}

EventFile::~EventFile() {
  try {
    flush();
  } catch (const std::exception&) {  // documented: flush reports it
  }
}

void EventFile::session_start(int64_t step) {
  add_event(step, event::kSessionLog, Message().varint(session::kStatus, session::kStart).str());
}

void EventFile::scalar(std::string_view tag, double value, int64_t step) {
  const auto entry = Message().bytes(summary::kTag, tag).number(summary::kSimpleValue, static_cast<float>(value));
  add_event(step, event::kSummary, Message().message(summary::kValue, entry).str());
}

void EventFile::text(std::string_view tag, std::string_view text, int64_t step) {
  const auto plugin = Message().bytes(summary::kPluginName, "text");
  const auto metadata = Message().message(summary::kPluginData, plugin);
  const auto shape = Message().message(tensor::kDim, Message().varint(tensor::kDimSize, 1));
  const auto content = Message().varint(tensor::kDtype, tensor::kString).message(tensor::kShape, shape).bytes(tensor::kStringValue, text);
  const auto entry = Message().bytes(summary::kTag, tag).message(summary::kTensor, content).message(summary::kMetadata, metadata);
  add_event(step, event::kSummary, Message().message(summary::kValue, entry).str());
}

void EventFile::flush() {
  if (buffer_.empty()) return;
  file_.append(buffer_);
  buffer_.clear();
}

void EventFile::add_event(int64_t step, int field, std::string_view payload) {
  const auto message =
      Message().number(event::kWallTime, seconds_since_epoch()).varint(event::kStep, static_cast<uint64_t>(step)).bytes(field, payload);
  std::string length;
  Message::append_little_endian(length, static_cast<uint64_t>(message.str().size()));
  buffer_.append(length);
  Message::append_little_endian(buffer_, masked_crc(length));
  buffer_.append(message.str());
  Message::append_little_endian(buffer_, masked_crc(message.str()));
  if (buffer_.size() >= kFlushBytes) flush();
}

}  // namespace grpo
