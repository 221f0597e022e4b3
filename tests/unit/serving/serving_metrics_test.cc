#include "common/serving/serving_metrics.h"

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::serving;

namespace {

bool has_line(const ServingMetrics& metrics, const std::string& line) {
  return ("\n" + metrics.text()).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a version's figures are counted under its name and go with it") {
  ServingMetrics metrics;
  auto version = metrics.version("har", 7);
  CHECK(has_line(metrics, R"(fl_inference_requests_total{model="har",outcome="answered",version="7"} 0)"));
  version->ended(Outcome::answered, Seconds(0.001));
  version->ended(Outcome::late, Seconds(3));
  version->waited(Seconds(0.5));
  version->ran(33, Seconds(0.01));
  CHECK(has_line(metrics, R"(fl_inference_requests_total{model="har",outcome="answered",version="7"} 1)"));
  CHECK(has_line(metrics, R"(fl_inference_requests_total{model="har",outcome="late",version="7"} 1)"));
  version->set_waiting(5);
  CHECK(has_line(metrics, R"(fl_inference_queue_examples{model="har",version="7"} 5)"));
  CHECK(has_line(metrics, R"(fl_inference_seconds_count{model="har",version="7"} 1)"));
  CHECK(has_line(metrics, R"(fl_inference_queue_seconds_bucket{model="har",version="7",le="0.4096"} 0)"));
  CHECK(has_line(metrics, R"(fl_inference_queue_seconds_bucket{model="har",version="7",le="0.8192"} 1)"));
  CHECK(has_line(metrics, R"(fl_inference_batch_examples_bucket{model="har",version="7",le="32"} 0)"));
  CHECK(has_line(metrics, R"(fl_inference_batch_examples_bucket{model="har",version="7",le="64"} 1)"));
  version.reset();
  CHECK(metrics.text().find("version=\"7\"") == std::string::npos);
}

TEST_CASE("a version that is open twice has its figures until both are gone") {
  ServingMetrics metrics;
  auto first = metrics.version("har", 7);
  auto second = metrics.version("har", 7);
  auto other = metrics.version("har", 8);
  first.reset();
  second->ended(Outcome::answered, Seconds(0.001));
  CHECK(has_line(metrics, R"(fl_inference_requests_total{model="har",outcome="answered",version="7"} 1)"));
  second.reset();
  CHECK(metrics.text().find("version=\"7\"") == std::string::npos);
  CHECK(metrics.text().find("version=\"8\"") != std::string::npos);
}

TEST_CASE("requests that come to no model are counted by their reason") {
  ServingMetrics metrics;
  metrics.turned_away("404");
  metrics.turned_away("404");
  CHECK(has_line(metrics, R"(fl_inference_turned_away_total{reason="404"} 2)"));
}
