#include "server/entrance/refusals.h"

#include <utility>

#include <spdlog/fmt/fmt.h>

namespace fl::server {

Refusals::Refusals(boost::asio::io_context& context, Metrics& metrics, std::shared_ptr<spdlog::logger> log)
    : metrics_(metrics), log_(std::move(log)), window_(context) {}

void Refusals::note(Stage stage, std::string_view reason, const std::string& source,
                    const std::string& line) {
  metrics_.refused(stage, reason);
  log(source, line);
}

void Refusals::log(const std::string& source, const std::string& line) {
  say_left_out(false);
  if (quota_.admits(source, LineQuota::Moment::clock::now())) {
    log_->warn(line);
  } else {
    metrics_.log_line_left_out();
    wait_for_window();
  }
}

void Refusals::say_left_out(bool cut_short) {
  const std::size_t count = quota_.end_window(LineQuota::Moment::clock::now(), cut_short).value_or(0);
  if (count == 0) return;
  log_->warn(
      fmt::format("{} more refusals were not logged one by one; fl_refusals_total has their reasons", count));
}

void Refusals::wait_for_window() {
  if (waiting_ || stopped_) return;
  waiting_ = true;
  window_.expires_at(quota_.window_end().value());
  window_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;  // perhaps with this
    waiting_ = false;
    say_left_out(false);
  });
}

void Refusals::stop() {
  stopped_ = true;
  window_.cancel();
  say_left_out(true);
}

}  // namespace fl::server
