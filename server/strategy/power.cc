#include "server/strategy/power.h"

#include <cmath>
#include <cstdint>

namespace fl::server {

double power(double base, double exponent) {
  if (exponent < 0.0) return 1.0 / power(base, -exponent);
  const double whole = std::floor(exponent);
  double result = 1.0;
  double factor = base;
  for (auto left = static_cast<std::uint64_t>(whole); left > 0; left >>= 1U) {
    if ((left & 1U) != 0) result *= factor;
    factor *= factor;
  }
  double fraction = exponent - whole;
  double root = base;
  while (fraction > 0.0) {
    root = std::sqrt(root);
    fraction *= 2.0;
    if (fraction < 1.0) continue;
    result *= root;
    fraction -= 1.0;
  }
  return result;
}

}  // namespace fl::server
