#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "grpo/api.h"
#include "grpo/io/atomic_file.h"

namespace GRPO_API grpo {

/// A TensorBoard event file `events.out.tfevents.TIME.HOST.PID.N`: TFRecord frames (length, masked CRC32C) of `Event` protocol
/// buffers, version brain.Event:2. A resumed run opens another file in the same folder and says where it begins.
class EventFile {
 public:
  /// Makes `folder` if it is absent. Throws `Error` if it cannot be written.
  explicit EventFile(const std::filesystem::path& folder);
  EventFile(EventFile&&) noexcept = default;
  EventFile& operator=(EventFile&&) = delete;
  /// Writes what is buffered; a failure at that point is lost, so call `flush` to see it.
  ~EventFile();

  /// Says that a session starts whose first point has this step: TensorBoard drops points of other files from there on.
  void session_start(int64_t step);
  /// One point of the curve `tag`. NaN and infinities are kept: TensorBoard marks them.
  void scalar(std::string_view tag, double value, int64_t step);
  /// A note in the Text tab; TensorBoard reads it as Markdown. `text` is UTF-8.
  void text(std::string_view tag, std::string_view text, int64_t step);
  /// Hands everything buffered to the system. Throws `Error` (disk full, …).
  void flush();
  const std::filesystem::path& path() const { return path_; }

 private:
  void add_event(int64_t step, int field, std::string_view payload);

  std::filesystem::path path_;
  AppendFile file_;
  std::string buffer_;
};

}  // namespace grpo
