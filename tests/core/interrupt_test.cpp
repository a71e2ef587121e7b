#include "grpo/core/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <optional>

namespace {

using grpo::interrupt_requested;
using grpo::InterruptGuard;

int signal_seen = 0;
void note_signal(int number) { signal_seen = number; }

TEST(Interrupt, EachSignalAsksForAStop) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) {
    const InterruptGuard guard;
    EXPECT_FALSE(interrupt_requested());
    raise(number);
    EXPECT_TRUE(interrupt_requested());
  }
}

TEST(Interrupt, TheLastGuardRestoresTheHandlers) {
  struct sigaction mine {
  }, before{};
  mine.sa_handler = note_signal;
  sigaction(SIGTERM, &mine, &before);
  std::optional<InterruptGuard> outer(std::in_place);
  {
    const InterruptGuard inner;
    raise(SIGTERM);
  }
  EXPECT_TRUE(interrupt_requested());
  EXPECT_EQ(signal_seen, 0);
  outer.reset();
  raise(SIGTERM);
  EXPECT_EQ(signal_seen, SIGTERM);
  sigaction(SIGTERM, &before, nullptr);
}

TEST(InterruptDeathTest, TheSecondSigintEndsTheProcess) {
  EXPECT_EXIT(
      {
        const InterruptGuard guard;
        raise(SIGTERM);
        raise(SIGINT);
        if (interrupt_requested()) raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
