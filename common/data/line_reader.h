#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/data/input_file.h"

namespace fl {

/// The lines of a text file, one after the other, in the memory of the longest. Lines end with LF or CRLF;
/// the last may end with the file. A byte order mark at the start is left out. One thread at a time.
class LineReader {
 public:
  /// The longest line that is read, in bytes; what is longer is no text of lines.
  static constexpr std::size_t longest_line = std::size_t{1} << 20U;

  /// Throws Error as InputFile does.
  explicit LineReader(std::filesystem::path path);

  /// Goes to the next line; false after the last. Throws Error(invalid_data) with file and line where a line
  /// is longer than longest_line or holds a NUL byte.
  bool next();

  /// The line without its end; valid until next() is called.
  std::string_view line() const { return line_; }
  /// Its number; the first is 1.
  std::uint64_t number() const { return number_; }
  const std::filesystem::path& path() const { return file_.path(); }
  /// "walk.csv:17"
  std::string where() const;

 private:
  bool refill();
  void append(std::string_view part);

  InputFile file_;
  std::vector<std::byte> buffer_;
  std::string_view unread_;  // of buffer_
  std::string line_;
  std::uint64_t number_ = 0;
};

}  // namespace fl
