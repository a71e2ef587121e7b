// One rank of the tests of collectives: dist_rank SCENARIO SEED TIMEOUT_MS. Exit status 0 where all was as expected.
#include <ATen/ATen.h>
#include <signal.h>

#include <chrono>
#include <iostream>
#include <thread>

#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "grpo/dist/communicator.h"

namespace grpo {
namespace {

using std::chrono::milliseconds;

void expect_equal(const at::Tensor& got, const at::Tensor& expected, const std::string& what) {
  GRPO_CHECK(got.equal(expected), what, "expected other values");
}

/// Whole numbers that every rank can draw for each other: sums of them are exact in every dtype.
at::Tensor values_of(uint64_t seed, int64_t rank, at::IntArrayRef shape, at::ScalarType dtype) {
  Random random(seed, static_cast<uint64_t>(rank));
  at::Tensor values = at::empty(shape, at::kLong);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<int64_t>()[i] = random.uniform_int(-1000, 1000);
  return values.to(dtype);
}

void check_reductions(Communicator& c, const std::vector<at::Tensor>& all) {
  at::Tensor sum = at::zeros_like(all[0]), largest = all[0].clone();
  for (const auto& values : all) sum += values, largest = at::maximum(largest, values);
  const at::Tensor& mine = all[static_cast<size_t>(c.rank())];

  at::Tensor reduced = mine.clone();
  c.all_reduce(reduced);
  expect_equal(reduced, sum, "all_reduce sum");
  reduced = mine.clone();
  c.all_reduce(reduced, Reduction::kMax);
  expect_equal(reduced, largest, "all_reduce max");

  const int64_t rows = mine.size(0) / c.world_size();
  at::Tensor share = at::empty_like(mine.narrow(0, 0, rows));
  c.reduce_scatter(share, mine);
  expect_equal(share, sum.narrow(0, c.rank() * rows, rows), "reduce_scatter");
}

void check_copies(Communicator& c, const std::vector<at::Tensor>& all) {
  const at::Tensor& mine = all[static_cast<size_t>(c.rank())];
  for (int64_t root = 0; root < c.world_size(); ++root) {
    at::Tensor copy = mine.clone();
    c.broadcast(copy, root);
    expect_equal(copy, all[static_cast<size_t>(root)], "broadcast from " + std::to_string(root));
  }
  at::Tensor gathered = at::empty_like(at::cat(all));
  c.all_gather(gathered, mine);
  expect_equal(gathered, at::cat(all), "all_gather");
}

void check_host_values(Communicator& c, Random& random) {
  const double base = random.uniform_int(1, 50);
  const auto world = static_cast<double>(c.world_size()), rank = static_cast<double>(c.rank());
  std::vector<double> numbers = {base + rank, -rank};
  c.all_reduce(numbers);
  GRPO_CHECK(numbers[0] == base * world + world * (world - 1) / 2 && numbers[1] == -world * (world - 1) / 2, "all_reduce", "of numbers");
  numbers = {base + rank, -rank};
  c.all_reduce(numbers, Reduction::kMax);
  GRPO_CHECK(numbers[0] == base + world - 1 && numbers[1] == 0.0, "all_reduce", "maximum of numbers");

  const auto bytes_of = [&](int64_t r) {
    return std::string(static_cast<size_t>(r) * static_cast<size_t>(base), static_cast<char>('a' + r));
  };
  const auto gathered = all_gather(c, bytes_of(c.rank()));  // rank 0 has none
  GRPO_CHECK(static_cast<int64_t>(gathered.size()) == c.world_size(), "all_gather", "expected an entry per rank");
  for (int64_t r = 0; r < c.world_size(); ++r) GRPO_CHECK(gathered[static_cast<size_t>(r)] == bytes_of(r), "all_gather", "of bytes");
}

void check_barrier(Communicator& c) {
  const auto now = [] { return static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count()); };  // one clock for all
  std::this_thread::sleep_for(milliseconds(200) * c.rank());
  std::vector<double> last_arrival = {now()};
  c.barrier();
  const double left = now();
  c.all_reduce(last_arrival, Reduction::kMax);
  GRPO_CHECK(left >= last_arrival[0], "barrier", "left before the last rank came");
}

void collectives(Communicator& c, uint64_t seed) {
  Random random(seed, 1000);
  for (const auto dtype : {at::kFloat, at::kDouble, at::kLong}) {
    const std::vector<int64_t> shape = {c.world_size() * random.uniform_int(1, 4), random.uniform_int(1, 5), random.uniform_int(1, 700)};
    std::vector<at::Tensor> all;
    for (int64_t rank = 0; rank < c.world_size(); ++rank) all.push_back(values_of(seed, rank, shape, dtype));
    check_reductions(c, all);
    check_copies(c, all);
  }
  check_host_values(c, random);
  check_barrier(c);
}

/// The rank of that number gets the signal between two collectives; the others print what the second one says.
void lose(Communicator& c, int64_t lost, int signal) {
  at::Tensor ones = at::ones({64});
  c.all_reduce(ones);
  if (c.rank() == lost) ::raise(signal);
  try {
    c.all_reduce(ones);
    fail("lose", "expected an error");
  } catch (const Error& error) {
    std::cout << error.what() << std::endl;
  }
  try {
    c.barrier();
    fail("lose", "expected an error of a broken communicator");
  } catch (const Error& error) {
    std::cout << error.what() << std::endl;
  }
}

void run(const std::string& scenario, uint64_t seed, milliseconds timeout) {
  const auto c = connect(read_launch_environment(), {.timeout = timeout, .roll_call = milliseconds(2000)});
  if (scenario == "collectives") return collectives(*c, seed);
  const auto lost = static_cast<int64_t>(seed);
  if (scenario == "kill") return lose(*c, lost, SIGKILL);
  if (scenario == "stop") return lose(*c, lost, SIGSTOP);
  fail("dist_rank", "expected a scenario; got " + scenario);
}

}  // namespace
}  // namespace grpo

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  grpo::run(argv[1], std::stoull(argv[2]), std::chrono::milliseconds(std::stoll(argv[3])));
  return 0;
} catch (const std::exception& error) {
  std::cout << error.what() << std::endl;
  return 1;
}
