#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace fl::test {

/// A sum of doubles without any rounding: a double is an integer times a power of two, and so is the sum,
/// held in as many digits as it needs. Takes finite values from 2^-400 to below 2^400 in magnitude and zero.
class ExactSum {
 public:
  /// Adds `times` · value.
  void add(double value, std::int64_t times = 1) {
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent);
    Wide term = static_cast<Wide>(std::ldexp(fraction, 53)) * times;
    const int above_lowest = exponent - 53 + lowest;
    const auto shift = static_cast<std::size_t>(above_lowest);
    const int sign = term < 0 ? -1 : 1;
    if (term < 0) term = -term;
    term <<= shift % 32;
    for (std::size_t digit = shift / 32; term != 0; ++digit, term >>= 32) {
      digits_.at(digit) += sign * static_cast<std::int64_t>(term & 0xffff'ffff);
    }
  }

  /// -1, 0 or 1.
  int sign() const {
    std::int64_t carry = 0;
    bool is_zero = true;
    for (const std::int64_t digit : digits_) {
      const std::int64_t all = digit + carry;
      is_zero = is_zero && (all & 0xffff'ffff) == 0;
      carry = all >> 32;
    }
    if (carry < 0) return -1;
    return is_zero && carry == 0 ? 0 : 1;
  }

  /// Whether the sum is `value`, to within `times` · tolerance.
  bool is(double value, double tolerance = 0.0, std::int64_t times = 1) const {
    ExactSum over = *this;
    over.add(value, -1);
    ExactSum under = over;
    over.add(tolerance, -times);
    under.add(tolerance, times);
    return over.sign() <= 0 && under.sign() >= 0;
  }

 private:
  __extension__ using Wide = __int128;
  static constexpr int lowest = 480;  // digits_ begin at 2^-480

  std::array<std::int64_t, 32> digits_{};  // of 32 bits each and a sign of its own, the least first
};

}  // namespace fl::test
