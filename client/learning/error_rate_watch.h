#pragma once

#include <cstdint>
#include <limits>

namespace fl::client {

/// DDM (Gama et al. 2004): with the error rate p and s = √(p(1 − p)/n), it holds p + s against the smallest
/// that it ever was, from the fifth error on, since without errors both are zero and any error were drift. Of
/// a stream without drift it tells of one in two of five cases within 500 answers: a warning, not a reason to
/// train.
class ErrorRateWatch {
 public:
  enum class Level : std::uint8_t {
    calm,
    warning,  ///< p + s > p_min + 2·s_min
    drift,    ///< p + s > p_min + 3·s_min; it then begins anew.
  };
  /// Of answers, and of errors among them, before it says anything.
  static constexpr std::uint64_t minimum = 30;
  static constexpr std::uint64_t minimum_errors = 5;

  /// After one more answer, which was wrong or right.
  Level add(bool wrong);

 private:
  std::uint64_t count_ = 0;
  std::uint64_t errors_ = 0;
  double rate_ = 0.0;
  double least_rate_ = std::numeric_limits<double>::infinity();
  double least_deviation_ = std::numeric_limits<double>::infinity();
};

}  // namespace fl::client
