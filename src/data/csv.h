#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace grpo {

/// One record of a table. A field without a character is null; a quoted empty text is one.
struct CsvRecord {
  int64_t line = 0;  // on which it begins, from 1
  std::vector<std::optional<std::string>> fields;
};

/// Reads a table of RFC 4180: fields that hold a delimiter, a quote or a line break stand in quotes, and a quote among them is doubled.
/// Lines end with LF or CRLF; blank ones and a UTF-8 byte order mark are skipped. Errors are `Error`s that name the file and the line.
class CsvParser {
 public:
  /// `text` must outlive the parser. Throws on invalid UTF-8.
  CsvParser(std::string_view text, char delimiter, std::string file);

  /// None at the end. Throws on quotes that are out of place or do not end, and on a carriage return without a line feed.
  std::optional<CsvRecord> next();

 private:
  bool at_end() const { return at_ >= text_.size(); }
  bool skip_line_break();
  std::optional<std::string> read_field();
  std::string read_quoted();
  [[noreturn]] void refuse(int64_t line, const std::string& message) const;

  std::string_view text_;
  char delimiter_;
  std::string file_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace grpo
