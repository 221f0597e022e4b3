#include "common/serving/serving_metrics.h"

#include <array>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <utility>

namespace fl::serving {
namespace {

using Counter = prometheus::Family<prometheus::Counter>;
using Gauge = prometheus::Family<prometheus::Gauge>;
using Histogram = prometheus::Family<prometheus::Histogram>;

constexpr std::array<const char*, 5> outcomes{"answered", "refused", "busy", "late", "failed"};

const prometheus::Histogram::BucketBoundaries time_buckets{
    0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128,  0.0256, 0.0512,
    0.1024, 0.2048, 0.4096, 0.8192, 1.6384, 3.2768, 6.5536, 13.1072, 26.2144};
const prometheus::Histogram::BucketBoundaries batch_buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

}  // namespace

struct ServingFamilies {
  Counter& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Histogram& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  prometheus::Registry registry;
  Counter& requests =
      counter("fl_inference_requests_total", "Requests for predictions, by what became of them.");
  Counter& turned_away =
      counter("fl_inference_turned_away_total", "Requests refused before they came to a model, by reason.");
  Histogram& times = histogram("fl_inference_seconds", "From a request to its answer, both as bytes.");
  Gauge& waiting = prometheus::BuildGauge()
                       .Name("fl_inference_queue_examples")
                       .Help("Examples that wait for an executor.")
                       .Register(registry);
  Histogram& waits = histogram("fl_inference_queue_seconds", "What requests waited for an executor.");
  Histogram& runs = histogram("fl_inference_compute_seconds", "What the model took for a batch.");
  Histogram& batches = histogram("fl_inference_batch_examples", "Examples in a batch.");
};

namespace {

template <typename Figure>
class Child {
 public:
  template <typename... Arguments>
  Child(prometheus::Family<Figure>& family, const prometheus::Labels& labels, Arguments&&... arguments)
      : family_(family), figure_(family.Add(labels, std::forward<Arguments>(arguments)...)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { family_.Remove(&figure_); }

  Figure& operator*() const { return figure_; }

 private:
  prometheus::Family<Figure>& family_;
  Figure& figure_;
};

using Count = Child<prometheus::Counter>;
using Level = Child<prometheus::Gauge>;
using Spread = Child<prometheus::Histogram>;

}  // namespace

struct VersionMetrics::Figures {
  Figures(ServingFamilies& families, const prometheus::Labels& labels)
      : times(families.times, labels, time_buckets),
        waits(families.waits, labels, time_buckets),
        runs(families.runs, labels, time_buckets),
        batches(families.batches, labels, batch_buckets),
        waiting(families.waiting, labels) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      prometheus::Labels with_outcome = labels;
      with_outcome["outcome"] = outcomes.at(i);
      requests.at(i) = std::make_unique<Count>(families.requests, with_outcome);
    }
  }

  Spread times;
  Spread waits;
  Spread runs;
  Spread batches;
  Level waiting;
  std::array<std::unique_ptr<Count>, outcomes.size()> requests;
};

VersionMetrics::VersionMetrics(ServingFamilies& families, const std::string& model, std::uint64_t version)
    : figures_(std::make_unique<Figures>(
          families, prometheus::Labels{{"model", model}, {"version", std::to_string(version)}})) {}
VersionMetrics::~VersionMetrics() = default;

void VersionMetrics::ended(Outcome outcome, Seconds from_request_to_answer) {
  (**figures_->requests.at(static_cast<std::size_t>(outcome))).Increment();
  if (outcome == Outcome::answered) (*figures_->times).Observe(from_request_to_answer.count());
}

void VersionMetrics::set_waiting(std::size_t examples) {
  (*figures_->waiting).Set(static_cast<double>(examples));
}

void VersionMetrics::waited(Seconds time) {
  (*figures_->waits).Observe(time.count());
}

void VersionMetrics::ran(std::size_t examples, Seconds time) {
  (*figures_->runs).Observe(time.count());
  (*figures_->batches).Observe(static_cast<double>(examples));
}

ServingMetrics::ServingMetrics() : families_(std::make_unique<ServingFamilies>()) {}
ServingMetrics::~ServingMetrics() = default;

// Figures of the same labels are one and the same thing, which goes with the last who uses it.
std::shared_ptr<VersionMetrics> ServingMetrics::version(const std::string& model, std::uint64_t number) {
  const Key key(model, number);
  const std::scoped_lock lock(mutex_);
  Shared& shared = versions_[key];
  if (!shared.metrics) shared.metrics = std::make_unique<VersionMetrics>(*families_, model, number);
  ++shared.users;
  return {shared.metrics.get(), [this, key](VersionMetrics*) { let_go(key); }};
}

void ServingMetrics::let_go(const Key& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = versions_.find(key);
  if (--found->second.users == 0) versions_.erase(found);
}

void ServingMetrics::turned_away(const std::string& reason) {
  families_->turned_away.Add({{"reason", reason}}).Increment();
}

std::string ServingMetrics::text() const {
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace fl::serving
