#include "server/entrance/line_quota.h"

namespace fl::server {

bool LineQuota::admits(const std::string& source, Moment now) {
  if (!begun_) begun_ = now;
  if (written_of_all_ < limits_.of_all) {
    std::size_t& written = written_[source];
    if (written < limits_.of_a_source) {
      ++written;
      ++written_of_all_;
      return true;
    }
  }
  ++left_out_;
  return false;
}

std::optional<std::size_t> LineQuota::end_window(Moment now, bool cut_short) {
  if (!begun_ || (!cut_short && now - *begun_ < limits_.window)) return std::nullopt;
  const std::size_t left_out = left_out_;
  *this = LineQuota(limits_);
  return left_out;
}

std::optional<LineQuota::Moment> LineQuota::window_end() const {
  if (!begun_) return std::nullopt;
  return *begun_ + limits_.window;
}

}  // namespace fl::server
