#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

/// Every figure there is, by what it is called. Private to server/metrics.
namespace fl::server {

struct Families {
  using Counter = prometheus::Family<prometheus::Counter>;
  using Gauge = prometheus::Family<prometheus::Gauge>;
  using Histogram = prometheus::Family<prometheus::Histogram>;

  Counter& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Histogram& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  prometheus::Registry registry;

  // Of the whole server.
  Gauge& build = gauge("fl_build_info", "Always 1; the label is the version of fl-server.");
  Gauge& connections = gauge("fl_connections", "Open connections: of devices, and of peers not known yet.");
  Counter& arrivals = counter("fl_connections_total", "Connections that came, refused ones too.");
  Counter& refusals = counter("fl_refusals_total", "Refusals to a peer, by where it had come to and why.");
  Counter& enrolments = counter("fl_enrolments_total", "Devices that have enrolled.");
  Counter& lines_left_out = counter("fl_log_lines_left_out_total", "Log lines of refusals not written.");
  Histogram& handshakes =
      histogram("fl_handshake_seconds", "From a connection's arrival to the end of TLS's handshake.");
  Histogram& commits =
      histogram("fl_ledger_commit_seconds", "Transactions of the ledger, to the disk and back.");

  // Of a task.
  Counter& updates =
      counter("fl_updates_total", "Updates that devices announced, by what became of them and why.");
  Counter& bytes =
      counter("fl_transfer_bytes_total", "Bytes of updates received and of versions' parts sent.");
  Counter& rounds = counter("fl_rounds_total", "Rounds that ended.");
  Counter& round_devices =
      counter("fl_round_devices_total", "Devices selected for rounds that ended, by what became of them.");
  Histogram& transfers =
      histogram("fl_transfer_seconds", "Updates received and versions' parts sent, each as a whole.");
  Histogram& folds = histogram("fl_fold_seconds", "Passes in which updates are added to the sum.");
  Histogram& aggregations = histogram("fl_aggregation_seconds", "From a round's last update to its version.");
  Histogram& round_times = histogram("fl_round_seconds", "From the choice of a cohort to the round's end.");
  Gauge& round = gauge("fl_round", "The open round's number.");
  Gauge& phase = gauge("fl_round_phase", "1 for the phase the open round is in, 0 for the others.");
  Gauge& version = gauge("fl_version", "The newest version's number.");
  Gauge& goal = gauge("fl_round_goal_updates", "Updates that a round wants.");
  Gauge& waiting = gauge("fl_round_waiting_devices", "Devices that ask for work and have not been answered.");
  Gauge& cohort = gauge("fl_round_cohort_devices", "Devices selected for the open round.");
  Gauge& accepted = gauge("fl_round_accepted_updates", "Updates of the open round that count.");
  Counter& reports = counter("fl_evaluation_reports_total",
                             "Reports of devices on versions, by what became of them and why.");
  Gauge& evaluated = gauge("fl_evaluation_version", "The version that was evaluated last.");
  Gauge& evaluators = gauge("fl_evaluation_devices", "Devices whose reports the last evaluation has.");
  Gauge& evaluation_examples = gauge("fl_evaluation_examples", "Held-out examples of the last evaluation.");
  Gauge& evaluation_loss = gauge("fl_evaluation_loss", "Mean loss in the last evaluation.");
  Gauge& evaluation_accuracy =
      gauge("fl_evaluation_accuracy", "Share of right answers in the last evaluation.");
  Gauge& subscribed = gauge("fl_subscribed_devices", "Connected devices that follow the task.");
};

}  // namespace fl::server
