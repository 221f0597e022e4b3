#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <string>

namespace fl::program {

/// Tells the user how far a long step has come (I10): nothing in the first second; then on a terminal one
/// line that is rewritten, elsewhere a line every five seconds from the second one on. One thread at a time.
class Progress {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  /// Writes to stderr.
  explicit Progress(std::string what);
  /// Writes to `out`, which outlives it.
  Progress(std::string what, std::ostream& out, bool terminal, Clock clock);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Takes the line off a terminal.
  ~Progress();

  /// `done` of `total`; a total of 0 is one that is not known. Cheap enough to call for every piece of work.
  void update(double done, double total, const std::string& note = "");

 private:
  std::string line(double done, double total, const std::string& note) const;

  std::string what_;
  std::ostream& out_;
  bool terminal_;
  Clock clock_;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point next_;
  bool line_is_shown_ = false;
};

}  // namespace fl::program
