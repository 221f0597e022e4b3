// The part of a session that is about evaluations: devices' reports on versions.

#include <string>

#include <spdlog/fmt/fmt.h>

#include "common/base/text.h"
#include "server/fleet/session.h"
#include "server/fleet/violation.h"

namespace fl::server {

namespace asio = boost::asio;

asio::awaitable<void> Session::on(const wire::EvaluationReport& message) {
  if (!evaluates_) {
    throw Violation(wire::RefusalCode::unexpected,
                    "EvaluationReport is for devices that named the feature evaluation in Hello");
  }
  const std::string name(wire::text_of(message.task()));
  const auto task = parts_.tasks.find(name);
  Verdict verdict{wire::Outcome::unknown_task, "there is no task " + in_quotes(name) + " you subscribe to"};
  if (task && subscribed_.contains(name)) {
    const Report report = report_from(message, device_);
    verdict = task->evaluation().take(report);
    tell_operator(*task, report, verdict);
  }
  co_await write(evaluation_reply_message(verdict));
}

void Session::tell_operator(const TaskRunner& runner, const Report& report, const Verdict& verdict) {
  const std::string outcome = wire::EnumNameOutcome(verdict.outcome);
  if (verdict.outcome == wire::Outcome::accepted) {
    runner.metrics().evaluation_report(outcome);
    parts_.log->info(
        fmt::format("task={} evaluation={} device={}: report on version {} accepted, {} examples",
                    runner.name(), report.evaluation, device_, report.version, report.record.examples));
  } else if (verdict.outcome == wire::Outcome::already_accepted) {
    runner.metrics().evaluation_report(outcome);
    parts_.refusals.log(device_, fmt::format("task={} evaluation={} device={}: report accepted before",
                                             runner.name(), report.evaluation, device_));
  } else {
    runner.metrics().evaluation_report("refused", outcome);
    parts_.refusals.log(device_,
                        fmt::format("task={} evaluation={} device={}: report refused, {}: {}", runner.name(),
                                    report.evaluation, device_, outcome, verdict.sentence));
  }
}

}  // namespace fl::server
