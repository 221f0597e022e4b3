#include "server/metrics/metrics.h"

#include <map>
#include <mutex>
#include <prometheus/text_serializer.h>
#include <sstream>

#include "server/metrics/families.h"

namespace fl::server {

namespace {

const prometheus::Histogram::BucketBoundaries handshake_buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                                0.1,   0.25,   0.5,   1,    2.5,   5};
const prometheus::Histogram::BucketBoundaries commit_buckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                             0.05,   0.1,   0.25,   0.5,   1,    2.5};

}  // namespace

const char* name(Stage stage) {
  switch (stage) {
    case Stage::arrival:
      return "arrival";
    case Stage::handshake:
      return "handshake";
    case Stage::enrolment:
      return "enrolment";
    case Stage::session:
      return "session";
  }
  return "unknown";
}

struct Metrics::State {
  State() { families.build.Add({{"version", FL_VERSION}}).Set(1); }

  Families families;
  prometheus::Gauge& unauthenticated = families.connections.Add({{"peer", "unauthenticated"}});
  prometheus::Gauge& devices = families.connections.Add({{"peer", "device"}});
  prometheus::Counter& arrivals = families.arrivals.Add({});
  prometheus::Counter& enrolments = families.enrolments.Add({});
  prometheus::Counter& lines_left_out = families.lines_left_out.Add({});
  prometheus::Histogram& handshakes = families.handshakes.Add({}, handshake_buckets);
  prometheus::Histogram& commits = families.commits.Add({}, commit_buckets);
  std::mutex mutex;
  std::map<std::string, TaskMetrics> tasks;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

TaskMetrics& Metrics::task(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  return state_->tasks.try_emplace(name, state_->families, name).first->second;
}

void Metrics::connection_came() {
  state_->arrivals.Increment();
}

void Metrics::handshake_took(Seconds time) {
  state_->handshakes.Observe(time.count());
}

void Metrics::device_enrolled() {
  state_->enrolments.Increment();
}

void Metrics::refused(Stage stage, std::string_view reason) {
  state_->families.refusals.Add({{"stage", name(stage)}, {"reason", std::string(reason)}}).Increment();
}

void Metrics::log_line_left_out() {
  state_->lines_left_out.Increment();
}

void Metrics::ledger_committed(Seconds time) {
  state_->commits.Observe(time.count());
}

void Metrics::set_connections(std::size_t unauthenticated, std::size_t devices) {
  state_->unauthenticated.Set(static_cast<double>(unauthenticated));
  state_->devices.Set(static_cast<double>(devices));
}

std::string Metrics::text() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, state_->families.registry.Collect());
  return text.str();
}

}  // namespace fl::server
