// Signals that ask for a stop, in this process and in children that they end. Oracle: what each guard promises.
#include "grpo/core/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

namespace {

using grpo::abandon_requested;
using grpo::interrupt_requested;
using grpo::InterruptGuard;
using grpo::OnSignal;

int signal_seen = 0;
void note_signal(int number) { signal_seen = number; }

/// While one lives, a signal has that action.
class Action {
 public:
  Action(int number, void (*handler)(int)) : number_(number) {
    struct sigaction mine {};
    mine.sa_handler = handler;
    sigaction(number, &mine, &before_);
  }
  ~Action() { sigaction(number_, &before_, nullptr); }

 private:
  int number_;
  struct sigaction before_ {};
};

TEST(Interrupt, EachSignalAsksForAStop) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) {
    const InterruptGuard guard;
    EXPECT_FALSE(interrupt_requested());
    raise(number);
    EXPECT_TRUE(interrupt_requested());
  }
}

TEST(Interrupt, AHangUpThatWasIgnoredStaysIgnored) {
  const Action nohup(SIGHUP, SIG_IGN);
  const InterruptGuard guard;
  raise(SIGHUP);
  EXPECT_FALSE(interrupt_requested());
}

TEST(Interrupt, ADisplayThatIsGoneEndsNothing) {
  const InterruptGuard guard;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  close(ends[1]);
  EXPECT_FALSE(interrupt_requested());
}

TEST(Interrupt, TheLastGuardRestoresTheHandlers) {
  const Action mine(SIGTERM, note_signal);
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
}

TEST(Interrupt, WorkIsAbandonedUnlessTheStepIsToBeFinished) {
  const InterruptGuard guard;
  raise(SIGTERM);
  EXPECT_TRUE(abandon_requested());
  EXPECT_FALSE(abandon_requested(3600.0)) << "not an hour ago";
  {
    const InterruptGuard finishes(OnSignal::kFinishStep);
    EXPECT_TRUE(interrupt_requested());
    EXPECT_FALSE(abandon_requested());
  }
  EXPECT_TRUE(abandon_requested());
}

TEST(Interrupt, AnyoneMayAsk) {
  const InterruptGuard guard;
  grpo::request_interrupt();
  EXPECT_TRUE(interrupt_requested());
}

TEST(InterruptDeathTest, ASecondWishEndsTheProcessAndSaysWhatIsLost) {
  EXPECT_EXIT(
      {
        const InterruptGuard guard;
        InterruptGuard::say_at_the_end("what came after step 7 is lost");
        raise(SIGTERM);
        raise(SIGTERM);  // launchers may deliver one wish twice
        if (!interrupt_requested()) _exit(1);
        std::this_thread::sleep_for(std::chrono::milliseconds(1100));
        raise(SIGINT);
        _exit(2);
      },
      testing::ExitedWithCode(75), "interrupted; what came after step 7 is lost");
}

TEST(InterruptDeathTest, WhereNothingCanBeLostTheFirstOneEndsIt) {
  EXPECT_EXIT(
      {
        const InterruptGuard guard(OnSignal::kEnd, "nothing was begun");
        {
          const InterruptGuard inner;
          raise(SIGUSR1);
          std::this_thread::sleep_for(std::chrono::milliseconds(1100));
        }
        raise(SIGHUP);
        _exit(2);
      },
      testing::ExitedWithCode(75), "interrupted; nothing was begun");
}

}  // namespace
