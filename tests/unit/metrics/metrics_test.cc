#include "server/metrics/metrics.h"

#include <sstream>
#include <string>

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::server;

namespace {

/// The value of a figure as the text has it; empty where it is not there.
std::string value_of(const Metrics& metrics, const std::string& name) {
  std::istringstream lines(metrics.text());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  }
  return "";
}

}  // namespace

TEST_CASE("what happened is in the text by task and outcome and reason") {
  Metrics metrics;
  TaskMetrics& motion = metrics.task("motion");
  CHECK(value_of(metrics, R"(fl_updates_total{outcome="accepted",reason="",task="motion"})") == "0");
  motion.update("accepted");
  motion.update("refused", "not_finite");
  motion.update("refused", "not_finite");
  metrics.task("speech").update("accepted");
  CHECK(value_of(metrics, R"(fl_round_devices_total{ending="late",task="motion"})") == "0");
  motion.devices_ended("late", 3);
  CHECK(value_of(metrics, R"(fl_round_devices_total{ending="late",task="motion"})") == "3");
  metrics.refused(Stage::handshake, "timeout");
  CHECK(value_of(metrics, R"(fl_updates_total{outcome="accepted",reason="",task="motion"})") == "1");
  CHECK(value_of(metrics, R"(fl_updates_total{outcome="refused",reason="not_finite",task="motion"})") == "2");
  CHECK(value_of(metrics, R"(fl_updates_total{outcome="accepted",reason="",task="speech"})") == "1");
  CHECK(value_of(metrics, R"(fl_refusals_total{reason="timeout",stage="handshake"})") == "1");
  CHECK(&metrics.task("motion") == &motion);
}

TEST_CASE("bytes are told by direction and encoding and exactly") {
  Metrics metrics;
  TaskMetrics& task = metrics.task("motion");
  task.transferred(Transfer::fp32_update, 9'007'199'254'740'991);
  task.transferred(Transfer::weights, 100);
  task.transferred(Transfer::weights, 23);
  const std::string total = R"(fl_transfer_bytes_total{direction=")";
  CHECK(std::stod(value_of(metrics, total + R"(received",encoding="fp32",task="motion"})")) ==
        9'007'199'254'740'991.0);
  CHECK(value_of(metrics, total + R"(sent",encoding="fp32",task="motion"})") == "123");
  CHECK(value_of(metrics, total + R"(sent",encoding="archive",task="motion"})") == "0");
}

TEST_CASE("a duration is counted in every bucket that it is not above") {
  Metrics metrics;
  metrics.ledger_committed(std::chrono::milliseconds(3));
  metrics.ledger_committed(std::chrono::seconds(60));
  CHECK(value_of(metrics, R"(fl_ledger_commit_seconds_bucket{le="0.0025"})") == "0");
  CHECK(value_of(metrics, R"(fl_ledger_commit_seconds_bucket{le="0.005"})") == "1");
  CHECK(value_of(metrics, R"(fl_ledger_commit_seconds_bucket{le="+Inf"})") == "2");
  CHECK(value_of(metrics, "fl_ledger_commit_seconds_count") == "2");
  CHECK(value_of(metrics, "fl_ledger_commit_seconds_sum") == "60.003");
}

TEST_CASE("a round is in one phase") {
  Metrics metrics;
  TaskMetrics& task = metrics.task("motion");
  TaskFigures figures;
  figures.phase = "selecting";
  figures.round = 3;
  task.set(figures);
  figures.phase = "training";
  task.set(figures);
  CHECK(value_of(metrics, R"(fl_round{task="motion"})") == "3");
  CHECK(value_of(metrics, R"(fl_round_phase{phase="selecting",task="motion"})") == "0");
  CHECK(value_of(metrics, R"(fl_round_phase{phase="training",task="motion"})") == "1");
}
