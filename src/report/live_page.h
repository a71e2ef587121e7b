#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace grpo::report {

/// The page of a run that goes on, or has yet to begin.
class LivePage {
 public:
  explicit LivePage(std::filesystem::path run_folder);

  struct Content {
    std::string html;
    std::string version;  // another one if a file of the run changed
    bool waiting = true;  // nothing is logged yet
  };
  /// What the run's files say now; they are read again only if one changed. Any thread.
  std::shared_ptr<const Content> current();

  /// What its scripts are marked with, and no others.
  const std::string& nonce() const { return nonce_; }

 private:
  std::shared_ptr<const Content> read(const std::string& version) const;

  const std::filesystem::path folder_;
  const std::string nonce_;
  std::mutex mutex_;
  std::shared_ptr<const Content> content_;
};

}  // namespace grpo::report
