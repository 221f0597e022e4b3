#pragma once

#include <cstdint>

namespace fl::client {

/// Tells when the mean of a stream has risen (Page 1954; with forgetting, as Gama et al. 2013 describe it):
/// with the running mean x̄, m ← max(0, α·m + x − x̄ − δ), and it alarms once m > λ. A value of copied state.
class PageHinkley {
 public:
  struct Settings {
    std::uint32_t minimum = 30;  ///< Of values before it alarms.
    double delta = 0.005;        ///< δ: how much of a rise is no news.
    /// λ. For errors of 0 and 1 no false alarm in 500, and a rate that goes from 0.1 to 0.3 is noticed after
    /// about 94; 50 takes three times as long, 10 alarms falsely in one of ten streams.
    double threshold = 20.0;
    double alpha = 0.9999;  ///< α: how slowly it forgets.
  };
  /// What it has to remember over a restart.
  struct State {
    std::uint64_t count = 0;
    double mean = 0.0;
    double sum = 0.0;  ///< m
  };

  PageHinkley() : PageHinkley(Settings()) {}
  explicit PageHinkley(const Settings& settings) : settings_(settings) {}
  PageHinkley(const Settings& settings, const State& state) : settings_(settings), state_(state) {}

  /// Whether this value makes it alarm; it then begins anew. What is not finite, or beyond 1e100, is passed
  /// over.
  bool add(double value);

  const State& state() const { return state_; }

 private:
  Settings settings_;
  State state_;
};

}  // namespace fl::client
