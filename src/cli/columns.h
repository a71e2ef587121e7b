#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grpo/data/dataset.h"

namespace grpo::cli {

/// Which columns of a file of problems are what.
struct RecognisedColumns {
  FieldMapping mapping;
  bool conversational = false;  // prompts are lists of messages
  std::string prompt, answer;   // the columns
  std::string answer_form;      // how the final answer stands there, for people
  std::vector<std::string> left_out;
  std::vector<std::string> notes;  // what its user should know, a sentence each
};

/// Looks at the first rows. A column that the user names is used; else the usual names are tried, letter case not counting. Throws a usage
/// error that names the file's columns and says what to do where none fits, where rows lack one, and where answers are no final answers.
RecognisedColumns recognise_columns(const std::filesystem::path& path, const std::string& prompt, const std::string& answer);

}  // namespace grpo::cli
