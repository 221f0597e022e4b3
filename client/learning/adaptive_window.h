#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fl::client {

/// ADWIN2 (Bifet and Gavaldà 2007): the longest window of a stream's end whose mean has not changed. Buckets
/// of 1, 2, 4, … values, at most five of a size, hold sums and squared deviations, so that a million values
/// take about 2 KB. For values of a known range, as errors of 0 and 1 are: one that is far off the others
/// hides changes for long.
class AdaptiveWindow {
 public:
  struct Settings {
    double delta = 0.002;      ///< δ: the chance of a false cut, each time it looks.
    std::uint32_t clock = 32;  ///< It looks every so many values.
    std::uint32_t grace = 10;  ///< Of values before it looks.
    std::uint32_t part = 5;    ///< What a part of the window has at least.
  };

  AdaptiveWindow() : AdaptiveWindow(Settings()) {}
  explicit AdaptiveWindow(const Settings& settings) : settings_(settings) {}

  /// Whether the mean has changed: what came before the change is forgotten. What is not finite, or beyond
  /// 1e100, is passed over.
  bool add(double value);

  std::uint64_t size() const { return window_.count; }
  double mean() const;
  std::size_t buckets() const;

 private:
  /// Of some values: how many, their sum and the sum of their squared deviations from their mean.
  struct Summary {
    std::uint64_t count = 0;
    double sum = 0.0;
    double deviations = 0.0;

    double mean() const { return count == 0 ? 0.0 : sum / static_cast<double>(count); }
    void add(const Summary& other);
    void remove(const Summary& other);
  };
  static constexpr std::size_t row_buckets = 5;
  /// Buckets of one size, the oldest first; one more than it may keep while it is being filled.
  struct Row {
    std::array<Summary, row_buckets + 1> buckets;
    std::size_t used = 0;

    void push(const Summary& bucket);
    void drop_oldest(std::size_t count);
  };

  bool cut_once();
  void forget_oldest();
  bool differ(const Summary& before, const Summary& after) const;

  Settings settings_;
  std::vector<Row> rows_;  ///< Row i has buckets of 2^i values, younger than those of row i + 1.
  Summary window_;
  std::uint64_t added_ = 0;
};

}  // namespace fl::client
