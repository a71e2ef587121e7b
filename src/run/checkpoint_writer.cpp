#include "run/checkpoint_writer.h"

#include <chrono>
#include <utility>

#include "run/run_folder.h"

namespace grpo {

CheckpointWriter::CheckpointWriter(std::filesystem::path run, int64_t limit) : run_(std::move(run)), limit_(limit) {
  remove_unfinished_checkpoints(run_);
}

void CheckpointWriter::begin(int64_t step, const std::function<void(const std::filesystem::path&)>& write) {
  wait();
  stage_checkpoint(run_, step, write);
  under_way_ = std::async(std::launch::async, [run = run_, limit = limit_, step] {
    place_checkpoint(run, step);
    prune_checkpoints(run, limit, step);
  });
}

void CheckpointWriter::check() {
  if (under_way_.valid() && under_way_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) under_way_.get();
}

void CheckpointWriter::wait() {
  if (under_way_.valid()) under_way_.get();
}

}  // namespace grpo
