#include "client/learning/adaptive_window.h"

#include <algorithm>
#include <cmath>

namespace fl::client {

void AdaptiveWindow::Summary::add(const Summary& other) {
  if (other.count == 0) return;
  const double apart = mean() - other.mean();
  const auto mine = static_cast<double>(count);
  const auto theirs = static_cast<double>(other.count);
  deviations += other.deviations + apart * apart * mine * theirs / (mine + theirs);
  count += other.count;
  sum += other.sum;
}

void AdaptiveWindow::Summary::remove(const Summary& other) {
  count -= other.count;
  sum -= other.sum;
  const double apart = mean() - other.mean();
  const auto left = static_cast<double>(count);
  const auto gone = static_cast<double>(other.count);
  deviations -= other.deviations + apart * apart * left * gone / (left + gone);
  deviations = std::max(deviations, 0.0);
}

void AdaptiveWindow::Row::push(const Summary& bucket) {
  buckets.at(used++) = bucket;
}

void AdaptiveWindow::Row::drop_oldest(std::size_t count) {
  std::move(buckets.begin() + static_cast<std::ptrdiff_t>(count),
            buckets.begin() + static_cast<std::ptrdiff_t>(used), buckets.begin());
  used -= count;
}

bool AdaptiveWindow::add(double value) {
  if (!(std::abs(value) <= 1e100)) return false;
  Summary bucket{1, value, 0.0};
  window_.add(bucket);
  ++added_;
  for (std::size_t row = 0;; ++row) {
    if (row == rows_.size()) rows_.emplace_back();
    Row& of = rows_[row];
    of.push(bucket);
    if (of.used <= row_buckets) break;
    bucket = of.buckets[0];
    bucket.add(of.buckets[1]);
    of.drop_oldest(2);
  }
  if (added_ % settings_.clock != 0 || window_.count <= settings_.grace) return false;
  bool changed = false;
  while (cut_once()) changed = true;
  return changed;
}

double AdaptiveWindow::mean() const {
  return window_.mean();
}

std::size_t AdaptiveWindow::buckets() const {
  std::size_t count = 0;
  for (const Row& row : rows_) count += row.used;
  return count;
}

/// Forgets the oldest bucket where some older part of the window differs from the rest.
bool AdaptiveWindow::cut_once() {
  Summary before;
  Summary after = window_;
  for (std::size_t row = rows_.size(); row-- > 0;) {
    for (std::size_t index = 0; index < rows_[row].used; ++index) {
      before.add(rows_[row].buckets.at(index));
      after.remove(rows_[row].buckets.at(index));
      if (after.count < settings_.part) return false;
      if (before.count < settings_.part || !differ(before, after)) continue;
      forget_oldest();
      return true;
    }
  }
  return false;
}

void AdaptiveWindow::forget_oldest() {
  rows_.back().drop_oldest(1);
  while (!rows_.empty() && rows_.back().used == 0) rows_.pop_back();
  // Anew of what is left: taken off, a large value would leave what its rounding lost.
  window_ = Summary();
  for (std::size_t row = rows_.size(); row-- > 0;) {
    for (std::size_t index = 0; index < rows_[row].used; ++index) window_.add(rows_[row].buckets.at(index));
  }
}

bool AdaptiveWindow::differ(const Summary& before, const Summary& after) const {
  const auto size = static_cast<double>(window_.count);
  const double confidence = std::log(2.0 * std::log(size) / settings_.delta);
  const double less = settings_.part - 1.0;
  const double m =
      1.0 / (static_cast<double>(before.count) - less) + 1.0 / (static_cast<double>(after.count) - less);
  const double variance = window_.deviations / size;
  const double bound = std::sqrt(2.0 * m * variance * confidence) + 2.0 / 3.0 * m * confidence;
  return std::abs(before.mean() - after.mean()) > bound;
}

}  // namespace fl::client
