#include "report/live_page.h"

#include <sys/stat.h>

#include <cstdio>
#include <random>
#include <utility>

#include "grpo/core/error.h"
#include "report/page.h"
#include "report/run.h"

namespace grpo::report {
namespace {

namespace fs = std::filesystem;

std::string random_word() {
  std::random_device source;
  std::string word;
  for (int i = 0; i < 4; ++i) {
    char part[16];
    std::snprintf(part, sizeof part, "%08x", source());
    word += part;
  }
  return word;
}

/// Another text when a file of the run was written, replaced, made or removed.
std::string version_of(const fs::path& folder) {
  std::string text;
  for (const char* name : {"metrics.jsonl", "completions.jsonl", "changes.jsonl", "verdicts.json", "config.json"}) {
    struct stat status {};
    const bool there = ::stat((folder / name).c_str(), &status) == 0;
    char part[96];
    std::snprintf(part, sizeof part, "%llx.%llx.%llx.%lx-", static_cast<unsigned long long>(status.st_ino),
                  static_cast<unsigned long long>(status.st_size), static_cast<unsigned long long>(status.st_mtim.tv_sec),
                  static_cast<unsigned long>(status.st_mtim.tv_nsec));
    text += there ? part : "-";
  }
  return text;
}

}  // namespace

LivePage::LivePage(fs::path run_folder) : folder_(std::move(run_folder)), nonce_(random_word()) {}

std::shared_ptr<const LivePage::Content> LivePage::current() {
  const std::lock_guard lock(mutex_);
  // taken before the files are read: what is written meanwhile makes another version
  const std::string version = nonce_ + "-" + version_of(folder_);
  if (!content_ || content_->version != version) content_ = read(version);
  return content_;
}

std::shared_ptr<const LivePage::Content> LivePage::read(const std::string& version) const {
  const Live live{.nonce = nonce_, .version = version};
  try {
    return std::make_shared<const Content>(Content{.html = page(read_run(folder_), &live), .version = version, .waiting = false});
  } catch (const Error& error) {
    return std::make_shared<const Content>(
        Content{.html = waiting_page(run_name(folder_), error.what(), live), .version = version, .waiting = true});
  }
}

}  // namespace grpo::report
