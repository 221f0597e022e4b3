#include "common/serving/route.h"

#include <doctest/doctest.h>

using namespace fl::serving;

namespace {

void check_route(const char* method, const char* target, Ask ask, const std::string& model = "",
                 std::optional<std::uint64_t> version = std::nullopt) {
  CAPTURE(target);
  const RouteResult result = route_of(method, target);
  REQUIRE(result.route);
  CHECK(result.route->ask == ask);
  CHECK(result.route->model == model);
  CHECK(result.route->version == version);
}

}  // namespace

TEST_CASE("every place of the protocol has its route") {
  check_route("GET", "/v2", Ask::server);
  check_route("GET", "/v2/", Ask::server);
  check_route("HEAD", "/v2/health/live", Ask::live);
  check_route("GET", "/v2/health/ready?x=/v3", Ask::ready);
  check_route("GET", "/v2/models/har", Ask::model, "har");
  check_route("GET", "/v2/models/a%2Fb%20c", Ask::model, "a/b c");
  check_route("GET", "/v2/models/har/ready", Ask::model_ready, "har");
  check_route("POST", "/v2/models/har/infer", Ask::infer, "har");
  check_route("GET", "/v2/models/har/versions/7", Ask::model, "har", 7);
  check_route("GET", "/v2/models/har/versions/7/ready", Ask::model_ready, "har", 7);
  check_route("POST", "/v2/models/har/versions/18446744073709551615/infer", Ask::infer, "har",
              18446744073709551615ULL);
  check_route("GET", "/v2/models/versions", Ask::model, "versions");
}

TEST_CASE("what the protocol does not have is not found and says what there is (I9)") {
  for (const char* const target : {"",
                                   "/",
                                   "v2",
                                   "*",
                                   "/v1",
                                   "/v2x",
                                   "//v2",
                                   "/v2//models/har",
                                   "/v2/health",
                                   "/v2/health/dead",
                                   "/v2/models",
                                   "/v2/models/",
                                   "/v2/models/har/versions",
                                   "/v2/models/har/versions/",
                                   "/v2/models/har/versions/x",
                                   "/v2/models/har/versions/-1",
                                   "/v2/models/har/versions/18446744073709551616",
                                   "/v2/models/har/versions/7/8",
                                   "/v2/models/har/load",
                                   "/v2/models/har/infer/ready",
                                   "/v2/models/%",
                                   "/v2/models/%4",
                                   "/v2/models/%zz",
                                   "/v2/models/%+1"}) {
    CAPTURE(target);
    const RouteResult result = route_of("GET", target);
    CHECK_FALSE(result.route);
    CHECK(result.none.status == 404);
    CHECK(result.none.sentence.find("/v2/models/NAME") != std::string::npos);
  }
}

TEST_CASE("a wrong method says the right one (I9)") {
  for (const char* const method : {"GET", "HEAD", "PUT", "DELETE"}) {
    const RouteResult result = route_of(method, "/v2/models/har/infer");
    CHECK_FALSE(result.route);
    CHECK(result.none.status == 405);
    CHECK(result.none.allow == "POST");
  }
  const RouteResult result = route_of("POST", "/v2/health/live");
  CHECK(result.none.status == 405);
  CHECK(result.none.allow == "GET, HEAD");
}
