#include "grpo/io/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <csignal>
#include <thread>
#include <vector>

#include "grpo/io/mapped_file.h"
#include "io/temp_folder.h"
#include "support/parity.h"

namespace {
thread_local int syncs = 0;  // of this thread
}

/// The system's, counted.
extern "C" int fsync(int descriptor) {
  ++syncs;
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace grpo {
namespace {

using testing::read_text;

/// Files can grow to `bytes` at most while this lives: a disk that fills up in the middle of a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limited{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int);
};

std::string text_of(const MappedFile& file) { return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}; }

using AtomicFileTest = testing::TempFolder;
using AppendFileTest = testing::TempFolder;
using MappedFileTest = testing::TempFolder;

TEST_F(AtomicFileTest, AppearsWholeOnCommit) {
  const auto path = write("a.txt", "old");
  AtomicFile file(path);
  file.write("new ");
  file.write(std::as_bytes(std::span("content", 7)));
  EXPECT_EQ(read_text(path), "old");
  file.commit();
  EXPECT_EQ(read_text(path), "new content");
  EXPECT_EQ(count_files(), 1u);
  GRPO_EXPECT_ERROR(file.commit(), "one commit");
  GRPO_EXPECT_ERROR(file.write("more"), "closed");
}

TEST_F(AtomicFileTest, SyncsFileAndFolderUnlessWhoeverOwnsTheFolderDoes) {
  const auto syncs_of = [](const auto& action) {
    syncs = 0;
    action();
    return syncs;
  };
  const auto save = [&] { write_file_atomically(folder_ / "a.txt", "text"); };
  EXPECT_EQ(syncs_of(save), 2);
  {
    const DeferredSync outer;
    { const DeferredSync inner; }
    EXPECT_EQ(syncs_of(save), 0);
    int elsewhere = 0;
    std::thread([&] { elsewhere = syncs_of(save); }).join();
    EXPECT_EQ(elsewhere, 2);  // another thread has deferred nothing
  }
  EXPECT_EQ(read_text(folder_ / "a.txt"), "text");
  EXPECT_EQ(syncs_of(save), 2);
  EXPECT_EQ(syncs_of([&] { sync_to_disk(folder_); }), 1);
  GRPO_EXPECT_ERROR(sync_to_disk(folder_ / "absent"), "absent");
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
  const auto path = write("a.txt", "old");
  {
    AtomicFile file(path);
    file.write("new");
    file.finish();
    AtomicFile moved = std::move(file);
    EXPECT_EQ(count_files(), 2u);
  }
  EXPECT_EQ(count_files(), 1u);
  EXPECT_EQ(read_text(path), "old");
}

TEST_F(AtomicFileTest, ReportsAFullDiskAndKeepsTheOldFile) {
  const auto path = write("a.txt", "old");
  const FileSizeLimit limit(1000);
  GRPO_EXPECT_ERROR(write_file_atomically(path, std::string(5000, 'x')), "expected to write " + path.string() + "; got: File too large");
  EXPECT_EQ(read_text(path), "old");
  EXPECT_EQ(count_files(), 1u);
}

TEST_F(AtomicFileTest, RefusesWhatItCannotReplace) {
  const auto file = write("file", "x");
  GRPO_EXPECT_ERROR(AtomicFile(folder_), "expected a regular file");
  GRPO_EXPECT_ERROR(AtomicFile("/dev/full"), "expected a regular file");
  GRPO_EXPECT_ERROR(AtomicFile(folder_ / "missing" / "a.txt"), "No such file or directory");
  GRPO_EXPECT_ERROR(AtomicFile(file / "a.txt"), "Not a directory");
  GRPO_EXPECT_ERROR(AtomicFile("/proc/grpo-test"), "expected to create /proc/grpo-test");  // a folder that not even root can write
}

// Property: whoever wins, the file is one of the written ones, whole.
TEST_F(AtomicFileTest, ThreadsMayWriteTheSamePath) {
  const auto path = folder_ / "a.txt";
  std::vector<std::jthread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([=] {
      for (int i = 0; i < 20; ++i) write_file_atomically(path, std::string(10000, letter));
    });
  }
  writers.clear();
  const std::string text = read_text(path);
  EXPECT_EQ(text, std::string(10000, text.at(0)));
  EXPECT_EQ(count_files(), 1u);
}

TEST_F(AppendFileTest, AppendsLinesAndCountsBytes) {
  const auto path = folder_ / "log.jsonl";
  {
    AppendFile file(path);
    file.append_line("{\"a\":1}");
    EXPECT_EQ(read_text(path), "{\"a\":1}\n");
    EXPECT_EQ(file.size(), 8u);
  }
  AppendFile again(path);
  AppendFile moved = std::move(again);
  EXPECT_EQ(moved.size(), 8u);
  moved.append_line("{}");
  moved.sync();
  EXPECT_EQ(read_text(path), "{\"a\":1}\n{}\n");
  GRPO_EXPECT_ERROR(moved.append_line("a\nb"), "one line");
}

TEST_F(AppendFileTest, ResumesAtAnOffset) {
  const auto path = write("log.jsonl", "one\ntwo\nthr");
  GRPO_EXPECT_ERROR(AppendFile(path, 12), "expected at least 12 bytes");
  AppendFile file(path, 4);
  file.append_line("2");
  EXPECT_EQ(read_text(path), "one\n2\n");
  EXPECT_EQ(file.size(), 6u);
}

TEST_F(AppendFileTest, CutsBackALineThatDidNotFit) {
  const auto path = write("log.jsonl", "start\n");
  AppendFile file(path);
  {
    const FileSizeLimit limit(10);
    GRPO_EXPECT_ERROR(file.append_line("too long to fit"), "File too large");
  }
  EXPECT_EQ(read_text(path), "start\n");
  file.append_line("short");
  EXPECT_EQ(read_text(path), "start\nshort\n");
}

TEST_F(AppendFileTest, ReportsFullAndUnwritablePlaces) {
  AppendFile full("/dev/full");
  GRPO_EXPECT_ERROR(full.append_line("x"), "No space left on device");
  GRPO_EXPECT_ERROR(AppendFile(folder_), "Is a directory");
  GRPO_EXPECT_ERROR(AppendFile(folder_ / "missing" / "log"), "No such file or directory");
}

TEST_F(MappedFileTest, MapsAndMoves) {
  MappedFile file(write("a.bin", "some bytes"));
  const auto* address = file.bytes().data();
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.bytes().data(), address);
  EXPECT_TRUE(file.bytes().empty());  // NOLINT: moved-from is documented as empty by the span
  MappedFile other(write("b.bin", "other"));
  other = std::move(moved);
  EXPECT_EQ(text_of(other), "some bytes");
}

TEST_F(MappedFileTest, StaysValidWhenTheFileIsReplaced) {
  const auto path = write("a.bin", "old");
  const MappedFile file(path);
  write_file_atomically(path, "new and longer");
  EXPECT_EQ(text_of(file), "old");
}

TEST_F(MappedFileTest, SaysWhatIsWrong) {
  GRPO_EXPECT_ERROR(MappedFile(folder_ / "missing"), "No such file or directory");
  GRPO_EXPECT_ERROR(MappedFile(write("empty", "")), "empty file");
  GRPO_EXPECT_ERROR(MappedFile(folder_), "expected a regular file");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  GRPO_EXPECT_ERROR(MappedFile(folder_ / "pipe"), "expected a regular file");
}

}  // namespace
}  // namespace grpo
