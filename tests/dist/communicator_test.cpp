// Oracles: sums and maxima of whole numbers that each rank draws for all the others (rank.cpp), hand values, and the clock for timeouts.
#include "grpo/dist/communicator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "grpo/core/error.h"
#include "support/processes.h"

namespace grpo {
namespace {

using std::chrono::milliseconds;
using testing::Process;

constexpr auto kPatience = milliseconds(60000);  // of the tests, for loaded machines

/// Ranks of a scenario, by number; `absent` ones are not started.
class Ranks {
 public:
  Ranks(int world_size, const std::string& scenario, uint64_t seed, milliseconds timeout,
        const std::map<std::string, std::string>& more = {}, int absent = -1)
      : port_(more.contains("MASTER_PORT") ? 0 : testing::free_port()) {
    for (int rank = 0; rank < world_size; ++rank) {
      auto variables = testing::rank_variables(rank, world_size, port_);
      for (const auto& [name, value] : more) variables[name] = value;
      const std::vector<std::string> command = {GRPO_BINARY_DIR "/tests/dist_rank", scenario, std::to_string(seed),
                                                std::to_string(timeout.count())};
      ranks_.push_back(rank == absent ? nullptr : std::make_unique<Process>(command, variables));
    }
  }
  Process& operator[](int rank) { return *ranks_[static_cast<size_t>(rank)]; }
  int port() const { return port_; }

 private:
  int port_;
  std::vector<std::unique_ptr<Process>> ranks_;
};

void expect_text(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "expected '" << part << "' in: " << text;
}

class Collectives : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(WorldSize, Collectives, ::testing::Values(1, 2, 3));

TEST_P(Collectives, GiveWhatEachRankComputesForAll) {
  const uint64_t seed = std::random_device()();
  Ranks ranks(GetParam(), "collectives", seed, kPatience);
  for (int rank = 0; rank < GetParam(); ++rank) {
    ASSERT_TRUE(ranks[rank].wait_for(kPatience)) << "rank " << rank << ", seed " << seed;
    EXPECT_EQ(ranks[rank].status(), 0) << "rank " << rank << ", seed " << seed << ": " << ranks[rank].output();
  }
}

TEST(Replicas, ThatDriftedApartStopAllRanksAndNameTheSteps) {
  Ranks ranks(3, "drift", 0, kPatience);
  for (int rank = 0; rank < 3; ++rank) {
    ASSERT_TRUE(ranks[rank].wait_for(kPatience));
    EXPECT_EQ(ranks[rank].status(), 1);
    expect_text(ranks[rank].output(), "those of rank 2 drifted from rank 0's between step 4 and step 8");
  }
}

TEST(Rendezvous, UsesTheStoreThatTorchrunServes) {
  c10d::TCPStoreOptions options;
  options.port = 0;
  options.isServer = true;
  options.waitWorkers = false;
  const c10d::TCPStore store("127.0.0.1", options);
  Ranks ranks(
      2, "collectives", 1, kPatience,
      {{"MASTER_PORT", std::to_string(store.getPort())}, {"TORCHELASTIC_USE_AGENT_STORE", "True"}, {"TORCHELASTIC_RESTART_COUNT", "3"}});
  for (int rank = 0; rank < 2; ++rank) {
    ASSERT_TRUE(ranks[rank].wait_for(kPatience));
    EXPECT_EQ(ranks[rank].status(), 0) << ranks[rank].output();
  }
}

TEST(Rendezvous, NamesTheRankThatDoesNotCome) {
  Ranks ranks(3, "collectives", 1, milliseconds(4000), {}, 1);
  for (const int rank : {0, 2}) {
    ASSERT_TRUE(ranks[rank].wait_for(kPatience));
    EXPECT_EQ(ranks[rank].status(), 1);
    expect_text(ranks[rank].output(), "[connect] expected all 3 ranks at 127.0.0.1:" + std::to_string(ranks.port()));
    expect_text(ranks[rank].output(), "got no sign of rank 1");
  }
}

TEST(Rendezvous, SaysWhereRankZeroWasLookedFor) {
  Ranks ranks(2, "collectives", 1, milliseconds(2000), {}, 0);
  ASSERT_TRUE(ranks[1].wait_for(kPatience));
  EXPECT_EQ(ranks[1].status(), 1);
  expect_text(ranks[1].output(), "expected to reach rank 0 at MASTER_ADDR:MASTER_PORT 127.0.0.1:" + std::to_string(ranks.port()));
}

TEST(Rendezvous, RefusesASecondProcessOfOneRank) {
  Ranks ranks(2, "collectives", 1, milliseconds(4000), {{"RANK", "0"}, {"LOCAL_RANK", "0"}, {"TORCHELASTIC_USE_AGENT_STORE", "True"}}, 1);
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(ranks.port());
  options.isServer = true;
  options.waitWorkers = false;
  const c10d::TCPStore store("127.0.0.1", options);
  auto variables = testing::rank_variables(0, 2, ranks.port());
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  Process twin({GRPO_BINARY_DIR "/tests/dist_rank", "collectives", "1", "4000"}, variables);
  ASSERT_TRUE(ranks[0].wait_for(kPatience) && twin.wait_for(kPatience));
  expect_text(ranks[0].output() + twin.output(), "expected one process of each rank; got two of rank 0");
}

/// Which of three ranks is lost.
class Loss : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Rank, Loss, ::testing::Values(0, 1, 2));

TEST_P(Loss, OfAKilledRankIsSeenAtOnceAndNamed) {
  const int lost = GetParam();
  Ranks ranks(3, "kill", static_cast<uint64_t>(lost), 2 * kPatience);  // waiting for the collective's timeout would fail the test
  ASSERT_TRUE(ranks[lost].wait_for(kPatience));
  EXPECT_EQ(ranks[lost].status(), -SIGKILL);
  for (int rank = 0; rank < 3; ++rank) {
    if (rank == lost) continue;
    ASSERT_TRUE(ranks[rank].wait_for(kPatience)) << "rank " << rank << " hangs";
    EXPECT_EQ(ranks[rank].status(), 0) << ranks[rank].output();
    expect_text(ranks[rank].output(), "[all_reduce] expected all 3 ranks to take part; got no sign of rank " + std::to_string(lost) +
                                          " (rank " + std::to_string(rank));
    expect_text(ranks[rank].output(), "[barrier] expected a connection to the other ranks; got one that failed before");
  }
}

TEST_P(Loss, OfAStoppedRankIsNamedAfterTheTimeout) {
  const int lost = GetParam();
  Ranks ranks(3, "stop", static_cast<uint64_t>(lost), milliseconds(5000));
  for (int rank = 0; rank < 3; ++rank) {
    if (rank == lost) continue;
    ASSERT_TRUE(ranks[rank].wait_for(kPatience)) << "rank " << rank << " hangs";
    EXPECT_EQ(ranks[rank].status(), 0) << ranks[rank].output();
    expect_text(ranks[rank].output(), "got no sign of rank " + std::to_string(lost) + " (rank " + std::to_string(rank));
  }
}

TEST(Communicator, OfOneProcessGivesBackWhatItGets) {
  const auto c = connect({});
  EXPECT_EQ(c->rank(), 0);
  EXPECT_EQ(c->world_size(), 1);
  EXPECT_EQ(c->backend(), "none");
  const at::Tensor values = at::arange(6, at::kFloat).view({3, 2}), copy = values.clone();
  c->all_reduce(values);
  c->broadcast(values);
  EXPECT_TRUE(values.equal(copy));
  at::Tensor gathered = at::zeros({3, 2}), reduced = at::zeros({3, 2});
  c->all_gather(gathered, values);
  c->reduce_scatter(reduced, values);
  c->barrier();
  EXPECT_TRUE(gathered.equal(copy) && reduced.equal(copy));
  EXPECT_EQ(all_gather(*c, "abc"), std::vector<std::string>{"abc"});
}

TEST(Communicator, RefusesWhatItCannotReduce) {
  const auto c = single_process();
  const at::Tensor good = at::zeros({4, 2});
  EXPECT_THROW(c->all_reduce(at::Tensor()), Error);
  EXPECT_THROW(c->all_reduce(good.t()), Error);
  EXPECT_THROW(c->all_reduce(at::zeros({2}, at::kMeta)), Error);
  EXPECT_THROW(c->all_reduce(at::zeros({2}).requires_grad_()), Error);
  EXPECT_THROW(c->broadcast(good, 1), Error);
  EXPECT_THROW(c->broadcast(good, -1), Error);
  EXPECT_THROW(c->all_gather(good, at::zeros({2, 2})), Error);
  EXPECT_THROW(c->all_gather(good, at::zeros({4, 1})), Error);
  EXPECT_THROW(c->all_gather(good, at::zeros({4, 2}, at::kDouble)), Error);
  EXPECT_THROW(c->reduce_scatter(at::zeros({2, 2}), good), Error);
}

TEST(ShareOf, DealsEverythingOnceAndEvenly) {
  for (const int64_t count : {0, 1, 2, 7, 64}) {
    for (const int64_t world : {1, 2, 3, 5}) {
      int64_t next = 0;
      for (int64_t rank = 0; rank < world; ++rank) {
        const Share share = share_of(count, rank, world);
        EXPECT_EQ(share.begin, next);
        EXPECT_GE(share.size(), count / world);
        EXPECT_LE(share.size(), (count + world - 1) / world);
        next = share.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

}  // namespace
}  // namespace grpo
