#include "grpo/core/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "grpo/core/error.h"

namespace {

using grpo::ThreadPool;

TEST(ThreadPool, CallsEachIndexOnce) {
  for (const int64_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const int64_t n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
      pool.parallel_for(n, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
      for (const auto& count : calls) EXPECT_EQ(count, 1);
    }
  }
}

TEST(ThreadPool, WritesAreVisibleToTheCaller) {
  ThreadPool pool(4);
  std::vector<int64_t> squares(500);
  pool.parallel_for(500, [&](int64_t i) { squares[static_cast<size_t>(i)] = i * i; });
  EXPECT_EQ(std::accumulate(squares.begin(), squares.end(), int64_t{0}), 499 * 500 * 999 / 6);
}

// Oracle: the exception of a plain loop. The lowest failing index is slow, so a higher one throws before it.
TEST(ThreadPool, TheFirstExceptionByIndexIsThrown) {
  ThreadPool pool(4);
  for (int repeat = 0; repeat < 20; ++repeat) {
    try {
      pool.parallel_for(100, [](int64_t i) {
        if (i == 3) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        if (i >= 3) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "no exception";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "3");
    }
  }
}

TEST(ThreadPool, NothingStartsAfterAnException) {
  ThreadPool pool(1);
  int calls = 0;
  EXPECT_THROW(pool.parallel_for(10, [&](int64_t i) { ++calls, i == 4 ? throw std::runtime_error("stop") : void(); }), std::runtime_error);
  EXPECT_EQ(calls, 5);
}

TEST(ThreadPool, NestedAndConcurrentCalls) {
  ThreadPool pool(3);
  std::atomic<int> calls = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&] { pool.parallel_for(5, [&](int64_t) { pool.parallel_for(5, [&](int64_t) { ++calls; }); }); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(calls, 75);
}

TEST(ThreadPool, RefusesSillySizes) {
  EXPECT_THROW(ThreadPool(-1), grpo::Error);
  EXPECT_THROW(ThreadPool(1 << 20), grpo::Error);
  EXPECT_GE(ThreadPool().size(), 1);
}

}  // namespace
