#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace fl::server {

/// Which lines of a log are written where a stranger can cause as many as it likes: in each window of time
/// the first few of a source, and of all sources together no more than a bounded number. What is left out is
/// counted. Pure; its memory is bounded by the number of lines. One thread at a time.
class LineQuota {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t of_a_source = 20;
    std::size_t of_all = 100;
    std::chrono::seconds window{60};
  };

  explicit LineQuota(const Limits& limits) : limits_(limits) {}

  /// Whether a line about this source is written now. A window begins with the first line after the end of
  /// the one before.
  bool admits(const std::string& source, Moment now);

  /// Ends a window that is over, or at once where `cut_short`: how many lines it left out, nothing where
  /// there is no such window. To be called before admits(), and at window_end() at the latest.
  std::optional<std::size_t> end_window(Moment now, bool cut_short = false);

  /// Nothing where no window is open.
  std::optional<Moment> window_end() const;

 private:
  Limits limits_;
  std::optional<Moment> begun_;
  std::map<std::string, std::size_t> written_;  // of each source
  std::size_t written_of_all_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace fl::server
