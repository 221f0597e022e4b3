#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/logger.h>

#include "server/entrance/line_quota.h"
#include "server/metrics/metrics.h"

namespace fl::server {

/// Every refusal of a peer goes through here: it counts in the metrics, and is logged as far as a quota goes,
/// so that no peer fills the disk; of what was left out a line says how much there was.
///
/// On the one thread of `context`. Refers to the metrics, which outlive it.
class Refusals {
 public:
  Refusals(boost::asio::io_context& context, Metrics& metrics, std::shared_ptr<spdlog::logger> log);

  /// `reason`: one of a fixed set of words. `source`: whose share of the log the line takes, a device or an
  /// address.
  void note(Stage stage, std::string_view reason, const std::string& source, const std::string& line);
  /// Only the line: of what the metrics count elsewhere.
  void log(const std::string& source, const std::string& line);

  /// Says what was left out until now, and waits for nothing any more; later refusals are logged without it.
  void stop();

 private:
  void say_left_out(bool cut_short);
  void wait_for_window();

  Metrics& metrics_;
  std::shared_ptr<spdlog::logger> log_;
  LineQuota quota_{LineQuota::Limits()};
  boost::asio::steady_timer window_;
  bool waiting_ = false;
  bool stopped_ = false;
};

}  // namespace fl::server
