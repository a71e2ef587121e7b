#pragma once

#include <string>

#include "report/run.h"

namespace grpo::report {

/// What a served page has beside that of a file.
struct Live {
  std::string nonce;    // of its scripts: others are not run
  std::string version;  // of what it shows; the page asks for another one by it
};

/// The report of a run as HTML.
std::string page(const Run& run, const Live* live = nullptr);

/// A page that says why there is nothing to show yet, and that shows the run when there is.
std::string waiting_page(const std::string& name, const std::string& why, const Live& live);

}  // namespace grpo::report
