#include "common/data/window_cutter.h"

#include <algorithm>

namespace fl {

WindowCutter::WindowCutter(std::size_t columns, std::size_t window, std::size_t step)
    : columns_(columns), window_(window), step_(step), samples_(columns * window), targets_(window) {}

bool WindowCutter::push(std::span<const float> sample, double target) {
  const std::size_t place = count_ % window_;
  std::copy_n(sample.begin(), columns_, samples_.begin() + static_cast<std::ptrdiff_t>(place * columns_));
  targets_[place] = target;
  ++count_;
  return count_ >= window_ && (count_ - window_) % step_ == 0;
}

Tensor WindowCutter::input() const {
  std::vector<float> values(columns_ * window_);
  for (std::size_t time = 0; time < window_; ++time) {
    const std::size_t place = (count_ + time) % window_;
    for (std::size_t column = 0; column < columns_; ++column) {
      values[column * window_ + time] = samples_[place * columns_ + column];
    }
  }
  return make_tensor(std::span<const float>(values),
                     {static_cast<std::int64_t>(columns_), static_cast<std::int64_t>(window_)});
}

}  // namespace fl
