#pragma once

namespace fl::server {

/// base to the power of exponent by multiplications and square roots alone, so that it has the same bits on
/// every machine, which std::pow has not. `base` is above 0, the exponent's magnitude below 2^53.
double power(double base, double exponent);

}  // namespace fl::server
