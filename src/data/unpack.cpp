#include "data/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/file_text.h"
#include "data/row.h"

namespace grpo {
namespace {

/// What has been unpacked so far.
class UnpackedText {
 public:
  UnpackedText(const std::string& file, const char* format, size_t most) : file_(file), format_(format), most_(most), block_(1 << 16) {}

  char* block() { return block_.data(); }
  size_t block_size() const { return block_.size(); }
  /// The first `size` bytes of the block were written.
  void take(size_t size) {
    if (size > most_ - text_.size()) refuse("more than " + std::to_string(most_) + " bytes of text");
    text_.append(block_.data(), size);
  }
  std::string text() && { return std::move(text_); }

  [[noreturn]] void refuse(const std::string& got) const {
    fail_at(at_line(file_, 1 + std::count(text_.begin(), text_.end(), '\n')),
            std::string("expected a whole ") + format_ + " file; got " + got);
  }

 private:
  std::string file_;
  const char* format_;
  size_t most_;
  std::vector<char> block_;
  std::string text_;
};

constexpr const char* kCutOff = "one that is cut off";

std::string gunzip(std::string_view packed, UnpackedText out) {
  constexpr size_t kMostAtOnce = size_t{1} << 30;  // zlib counts in 32 bits
  constexpr int kGzipAlone = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, kGzipAlone) != Z_OK) out.refuse("no memory to read it");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ended(&stream, inflateEnd);
  int status = Z_OK;
  stream.avail_out = 1;
  for (;;) {
    if (stream.avail_in == 0 && (stream.avail_out > 0 || status == Z_STREAM_END)) {
      if (packed.empty()) break;
      const size_t size = std::min(packed.size(), kMostAtOnce);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));  // zlib only reads it
      stream.avail_in = static_cast<uInt>(size);
      packed.remove_prefix(size);
    }
    if (status == Z_STREAM_END) inflateReset(&stream);  // the next member
    stream.next_out = reinterpret_cast<Bytef*>(out.block());
    stream.avail_out = static_cast<uInt>(out.block_size());
    status = inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      out.refuse(stream.msg != nullptr ? std::string("one with an ") + stream.msg : "a damaged one");
    out.take(out.block_size() - stream.avail_out);
  }
  if (status != Z_STREAM_END) out.refuse(kCutOff);
  return std::move(out).text();
}

std::string unzstd(std::string_view packed, UnpackedText out) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (stream == nullptr) out.refuse("no memory to read it");
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  size_t wanted = 1;  // 0: at a frame's end
  bool more = false;  // is waiting for room
  while (in.pos < in.size || more) {
    ZSTD_outBuffer block{out.block(), out.block_size(), 0};
    wanted = ZSTD_decompressStream(stream.get(), &block, &in);
    if (ZSTD_isError(wanted) != 0) out.refuse(std::string("a damaged one: ") + ZSTD_getErrorName(wanted));
    out.take(block.pos);
    more = block.pos == block.size && wanted != 0;
  }
  if (wanted != 0) out.refuse(kCutOff);
  return std::move(out).text();
}

}  // namespace

Packing packing_of(const std::filesystem::path& file) {
  if (file.extension() == ".gz") return Packing::kGzip;
  return file.extension() == ".zst" ? Packing::kZstd : Packing::kNone;
}

std::string unpack(std::string_view packed, Packing packing, const std::string& file, size_t most) {
  switch (packing) {
    case Packing::kGzip:
      return gunzip(packed, {file, "gzip", most});
    case Packing::kZstd:
      return unzstd(packed, {file, "zstd", most});
    case Packing::kNone:
      break;
  }
  return std::string(packed);
}

std::string dataset_text(const std::filesystem::path& file) {
  constexpr size_t kLeast = size_t{64} << 20, kRatio = 1000;
  std::string text = file_text(file, kDatasetWhere);
  const Packing packing = packing_of(file);
  return packing == Packing::kNone ? text : unpack(text, packing, file.string(), kLeast + kRatio * text.size());
}

}  // namespace grpo
