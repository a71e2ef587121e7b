// What is there before anything else, and what long waits say. Oracles: numbers of descriptors, and times by hand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "core/descriptors.h"
#include "core/wait_notice.h"

namespace grpo {
namespace {

TEST(Descriptors, FilesNeverGetThoseOfTheStandardStreams) {
  for (const std::vector<int>& closed : {std::vector{0, 1, 2}, {0}, {1}, {2}, {1, 2}}) {
    EXPECT_EXIT(
        {
          for (const int descriptor : closed) ::close(descriptor);
          open_standard_descriptors();
          const int file = ::open("/dev/null", O_RDONLY);
          bool open = true;
          for (const int descriptor : {0, 1, 2}) open = open && ::fcntl(descriptor, F_GETFD) >= 0;
          ::_exit(file >= 3 && open ? 7 : 1);
        },
        ::testing::ExitedWithCode(7), "");
  }
}

TEST(NoticeTimes, GrowTwofold) {
  NoticeTimes times;
  std::vector<int> said;
  for (int second = 0; second <= 200; ++second) {
    if (times.due(NoticeTimes::Seconds(second))) said.push_back(second);
  }
  EXPECT_EQ(said, (std::vector{10, 20, 40, 80, 160}));
}

TEST(NoticeTimes, ALateLookSaysItOnce) {
  NoticeTimes times;
  EXPECT_TRUE(times.due(NoticeTimes::Seconds(90)));
  EXPECT_FALSE(times.due(NoticeTimes::Seconds(159)));
  EXPECT_TRUE(times.due(NoticeTimes::Seconds(160)));
}

TEST(WaitNotice, AShortWaitSaysNothingAndEndsAtOnce) {
  ::testing::internal::CaptureStderr();
  { const WaitNotice notice("rank 1"); }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace grpo
