#include "server/metrics/task_metrics.h"

#include <array>
#include <limits>
#include <string>

#include "server/metrics/families.h"

namespace fl::server {

namespace {

constexpr std::array<const char*, 4> phases{"selecting", "training", "aggregating", "finished"};

constexpr std::array<const char*, 6> endings{"accepted", "refused", "declined", "late", "dropped", "surplus"};

struct Traffic {
  const char* direction;
  const char* encoding;
};

/// Of each Transfer, seen from the server.
constexpr std::array<Traffic, 7> traffic{{{"received", "fp32"},
                                          {"received", "fp16"},
                                          {"received", "int8"},
                                          {"sent", "fp32"},
                                          {"sent", "archive"},
                                          {"sent", "fp16"},
                                          {"sent", "int8"}}};

const prometheus::Histogram::BucketBoundaries transfer_buckets{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                               2.5,  5,     10,   30,  60,   300, 1800};
const prometheus::Histogram::BucketBoundaries fold_buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                           0.25,  0.5,    1,     2.5,  5,     10,   30};
const prometheus::Histogram::BucketBoundaries round_buckets{1,   5,    10,   30,   60,    120,   300,
                                                            600, 1800, 3600, 7200, 21600, 86400, 604800};

}  // namespace

struct TaskMetrics::State {
  State(Families& all, const std::string& name) : families(all), task(name) {
    for (std::size_t i = 0; i < traffic.size(); ++i) {
      const prometheus::Labels labels{
          {"task", task}, {"direction", traffic.at(i).direction}, {"encoding", traffic.at(i).encoding}};
      bytes.at(i) = &families.bytes.Add(labels);
      transfers.at(i) = &families.transfers.Add(labels, transfer_buckets);
    }
    // From the start, so that a rate can be told of the first.
    for (const bool committed : {true, false}) rounds(committed);
    for (const char* const ending : endings) devices(ending);
    update("accepted", "");
  }

  // Found again where they are there already.
  prometheus::Counter& rounds(bool committed) {
    return families.rounds.Add({{"task", task}, {"outcome", committed ? "committed" : "abandoned"}});
  }
  prometheus::Counter& devices(std::string_view ending) {
    return families.round_devices.Add({{"task", task}, {"ending", std::string(ending)}});
  }
  prometheus::Counter& update(std::string_view outcome, std::string_view reason) {
    return families.updates.Add(
        {{"task", task}, {"outcome", std::string(outcome)}, {"reason", std::string(reason)}});
  }
  void set(Families::Gauge& gauge, std::uint64_t value) {
    gauge.Add({{"task", task}}).Set(static_cast<double>(value));
  }

  Families& families;
  const std::string task;
  prometheus::Histogram& folds = families.folds.Add({{"task", task}}, fold_buckets);
  prometheus::Histogram& aggregations = families.aggregations.Add({{"task", task}}, fold_buckets);
  prometheus::Histogram& round_times = families.round_times.Add({{"task", task}}, round_buckets);
  std::array<prometheus::Counter*, traffic.size()> bytes{};
  std::array<prometheus::Histogram*, traffic.size()> transfers{};
};

TaskMetrics::TaskMetrics(Families& families, const std::string& task)
    : state_(std::make_unique<State>(families, task)) {}
TaskMetrics::~TaskMetrics() = default;

void TaskMetrics::update(std::string_view outcome, std::string_view reason) {
  state_->update(outcome, reason).Increment();
}

void TaskMetrics::transferred(Transfer what, std::uint64_t bytes) {
  state_->bytes.at(static_cast<std::size_t>(what))->Increment(static_cast<double>(bytes));
}

void TaskMetrics::transfer_took(Transfer what, Seconds time) {
  state_->transfers.at(static_cast<std::size_t>(what))->Observe(time.count());
}

void TaskMetrics::fold_pass_took(Seconds time) {
  state_->folds.Observe(time.count());
}

void TaskMetrics::aggregation_took(Seconds time) {
  state_->aggregations.Observe(time.count());
}

void TaskMetrics::round_ended(bool committed, Seconds time) {
  state_->rounds(committed).Increment();
  state_->round_times.Observe(time.count());
}

void TaskMetrics::devices_ended(std::string_view became, std::size_t count) {
  state_->devices(became).Increment(static_cast<double>(count));
}

void TaskMetrics::evaluation_report(std::string_view outcome, std::string_view reason) {
  state_->families.reports
      .Add({{"task", state_->task}, {"outcome", std::string(outcome)}, {"reason", std::string(reason)}})
      .Increment();
}

void TaskMetrics::evaluated(const TaskEvaluated& figures) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  Families& families = state_->families;
  state_->set(families.evaluated, figures.version);
  state_->set(families.evaluators, figures.devices);
  state_->set(families.evaluation_examples, figures.examples);
  const prometheus::Labels labels{{"task", state_->task}};
  families.evaluation_loss.Add(labels).Set(figures.loss.value_or(none));
  families.evaluation_accuracy.Add(labels).Set(figures.accuracy.value_or(none));
}

void TaskMetrics::set(const TaskFigures& figures) {
  Families& families = state_->families;
  state_->set(families.round, figures.round);
  state_->set(families.version, figures.version);
  state_->set(families.goal, figures.goal);
  state_->set(families.waiting, figures.waiting);
  state_->set(families.cohort, figures.cohort);
  state_->set(families.accepted, figures.accepted);
  state_->set(families.subscribed, figures.subscribed);
  for (const char* const phase : phases) {
    const prometheus::Labels labels{{"task", state_->task}, {"phase", phase}};
    families.phase.Add(labels).Set(figures.phase == phase ? 1 : 0);
  }
}

}  // namespace fl::server
