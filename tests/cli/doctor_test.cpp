// grpo doctor. Oracles: made-up files of a system; the answers of this one's commands; sizes by hand.
#include <map>

#include "cli/machine.h"
#include "cli/program.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::has;
using testing::Outcome;

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

class Doctor : public testing::Program {
 protected:
  void write_all(const std::map<std::string, std::string>& files) const {
    for (const auto& [name, bytes] : files) {
      fs::create_directories((path("root") / name).parent_path());
      write("root/" + name, bytes);
    }
  }
  cli::Machine machine() const { return cli::read_machine(path("root")); }
};

TEST_F(Doctor, ReadsControlGroupsOfBothKinds) {
  const std::map<std::string, std::string> common = {
      {"proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   8388608 kB\n"},
      {"proc/loadavg", "1.25 1.00 0.50 1/100 1234\n"},
      {"proc/cpuinfo", "processor\t: 0\nmodel name\t: Some Processor @ 2GHz\n"}};
  write_all(common);
  cli::Machine none = machine();
  EXPECT_EQ(none.processor, "Some Processor @ 2GHz");
  EXPECT_EQ(none.load, 1.25);
  EXPECT_EQ(none.memory, 16 * kGiB);
  EXPECT_EQ(none.memory_available, 8 * kGiB);
  EXPECT_FALSE(none.cpu_quota || none.memory_limit);
  EXPECT_TRUE(none.driver.empty() && none.gpus.empty());

  write_all({{"proc/self/cgroup", "0::/a/b\n"},
             {"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
             {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"},
             {"sys/fs/cgroup/a/b/memory.max", "4294967296\n"},
             {"sys/fs/cgroup/a/b/memory.current", "3221225472\n"},
             {"sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 1073741824\n"},
             {"sys/fs/cgroup/a/memory.max", "max\n"}});
  const cli::Machine second = machine();
  EXPECT_EQ(second.cpu_quota, 1.5);
  EXPECT_EQ(second.memory_limit, 4 * kGiB);
  EXPECT_EQ(second.memory_available, 2 * kGiB);

  fs::remove_all(path("root"));
  write_all(common);
  write_all({{"proc/self/cgroup", "5:memory:/host/x\n4:cpu,cpuacct:/host/x\n"},  // as seen in a container: its own groups are the mount
             {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"},
             {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
             {"sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"},
             {"sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n"},
             {"sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 0\n"}});
  const cli::Machine first = machine();
  EXPECT_EQ(first.cpu_quota, 2.0);
  EXPECT_EQ(first.memory_limit, 2 * kGiB);
  EXPECT_EQ(first.memory_available, 1 * kGiB);
  write_all({{"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"}, {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}});
  EXPECT_FALSE(machine().cpu_quota || machine().memory_limit);
}

TEST_F(Doctor, ReadsTheDriversGpus) {
  write_all(
      {{"proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 9\nGCC version:  gcc 12.2.0\n"},
       {"proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H200\nIRQ:   \t\t 5\n"}});
  EXPECT_EQ(machine().driver, "570.86.15");
  EXPECT_EQ(machine().gpus, std::vector<std::string>{"NVIDIA H200"});
}

TEST_F(Doctor, SaysWhatTheMachineIs) {
  save_model("model");
  const Outcome outcome = run("doctor --model model --json");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  std::map<std::string, json> checks;
  const json answer = outcome.rows().at(0);
  for (const json& check : answer.at("checks")) checks[check.at("check")] = check;
  EXPECT_EQ(answer.at("usable"), true);
  for (const char* name : {"grpo", "processor", "threads", "memory", "torch", "gpu", "disk", "model", "products", "sampling"})
    EXPECT_TRUE(checks.contains(name)) << name;
  for (const auto& [name, check] : checks) EXPECT_EQ(check.at("state") == "ok", !check.contains("advice")) << check;
  EXPECT_TRUE(fs::exists(checks["torch"].at("file").get<std::string>())) << checks["torch"];
  EXPECT_EQ(checks["processor"].at("kernels"), run("info").rows().at(0).at("cpu_kernels").at(0));
  EXPECT_GT(checks["sampling"].at("tokens_per_second"), 0.0);
  EXPECT_GT(checks["products"].at("flops"), 1e8);
  // 256 bytes and one end token by 16, a layer of 4 x 16 x 16 and 3 x 16 x 32, three norms of 16
  EXPECT_EQ(checks["model"].at("parameters").get<int64_t>() / 100, (257 * 16 + 4 * 256 + 3 * 512 + 48) / 100);
  EXPECT_EQ(checks["model"].at("sampling"), 8.0 * checks["model"].at("parameters").get<double>() + 2 * kGiB);
}

TEST_F(Doctor, SaysWhatToDo) {
  const Outcome many = shell("OMP_NUM_THREADS=999 grpo doctor | head -4");
  EXPECT_TRUE(has(many.out, "note  threads") && has(many.out, "-> ") && has(many.out, "set OMP_NUM_THREADS=")) << many.out;
  save_model("large");
  json config = json::parse(text("large/config.json"));
  config["vocab_size"] = 16000000;
  config["hidden_size"] = 65536;
  write("large/config.json", config.dump());
  const Outcome bad = run("doctor --model large");
  EXPECT_EQ(bad.status, 1);
  EXPECT_TRUE(has(bad.out, "bad   model") && has(bad.out, "it does not fit") && has(bad.errors, "one that cannot"))
      << bad.out << bad.errors;
}

}  // namespace
}  // namespace grpo
