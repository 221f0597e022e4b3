#include "client/serving/local_doorkeeper.h"

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::client;
using serving::route_of;

namespace {

constexpr std::uint16_t port = 7480;
const std::string key(64, 'a');

/// The status of what a request to a model is told instead of an answer; 0: it may ask.
unsigned told(const net::HttpFields& fields, const char* target = "/v2/models/har",
              const char* method = "GET") {
  LocalDoorkeeper doorkeeper(port, key, {"https://app.example"});
  const auto refused = doorkeeper.refusal({method, target, fields, {}}, route_of(method, target));
  return refused ? refused->status : 0;
}

net::HttpFields with(const net::HttpFields& more = {}) {
  net::HttpFields fields{{"host", "127.0.0.1:7480"}, {"authorization", "bearer " + key}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

}  // namespace

TEST_CASE("who knows the key and asks under loopback's name may ask") {
  for (const char* const host : {"127.0.0.1:7480", "localhost:7480", "LOCALHOST:7480", "[::1]:7480"}) {
    CAPTURE(host);
    CHECK(told({{"Host", host}, {"Authorization", "Bearer " + key}}) == 0);
  }
}

TEST_CASE("a name that a web page has led to loopback is refused") {
  const std::pair<std::string, std::string> authorization{"Authorization", "Bearer " + key};
  for (const char* const host : {"evil.example:7480", "evil.example", "127.0.0.1", "127.0.0.1:80",
                                 "127.0.0.1:7480.evil.example", "127.0.0.2:7480", "", "localhost:"}) {
    CAPTURE(host);
    CHECK(told({{"Host", host}, authorization}) == 403);
  }
  CHECK(told({authorization}) == 403);
  CHECK(told({{"Host", "127.0.0.1:7480"}, {"Host", "evil.example"}, authorization}) == 403);
}

TEST_CASE("web pages of other origins may not ask even with the key") {
  CHECK(told(with({{"Origin", "https://app.example"}})) == 0);
  for (const char* const origin : {"https://evil.example", "null", "http://app.example",
                                   "https://app.example:443", "https://app.example.evil"}) {
    CAPTURE(origin);
    CHECK(told(with({{"Origin", origin}})) == 403);
    CHECK(told(with({{"Origin", origin}}), "/v2/models/har/infer", "OPTIONS") == 403);
  }
  CHECK(told(with({{"Origin", "https://app.example"}, {"Origin", "https://evil.example"}})) == 403);
}

TEST_CASE("an allowed page may ask whether it may and read the answer") {
  LocalDoorkeeper doorkeeper(port, key, {"https://app.example"});
  const net::HttpRequest head{"OPTIONS",
                              "/v2/models/har/infer",
                              {{"Host", "localhost:7480"},
                               {"Origin", "https://app.example"},
                               {"Access-Control-Request-Private-Network", "true"}},
                              {}};
  const auto preflight = doorkeeper.refusal(head, route_of(head.method, head.target));
  REQUIRE(preflight);
  CHECK(preflight->status == 204);
  net::HttpRequest fields{{}, {}, preflight->fields, {}};
  CHECK(fields.field("Access-Control-Allow-Headers")->find("Authorization") != std::string::npos);
  CHECK(fields.field("Access-Control-Allow-Private-Network") == "true");
  fields.fields = doorkeeper.fields(head);
  CHECK(fields.field("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(doorkeeper.fields({"GET", "/v2", {{"Origin", "https://evil.example"}}, {}}).empty());
}

TEST_CASE("without the key there is health and nothing else") {
  for (const char* const authorization :
       {"", "Bearer", "Bearer ", "Bearer b", "Basic YTph", "Bearer  ", "bearer"}) {
    CAPTURE(authorization);
    CHECK(told({{"Host", "localhost:7480"}, {"Authorization", authorization}}) == 401);
  }
  CHECK(told({{"Host", "localhost:7480"}}) == 401);
  CHECK(told({{"Host", "localhost:7480"}}, "/metrics") == 401);
  CHECK(told({{"Host", "localhost:7480"}}, "/nowhere") == 401);
  CHECK(told({{"Host", "localhost:7480"}}, "/v2/health/live") == 0);
  CHECK(told({{"Host", "localhost:7480"}}, "/v2/health/ready") == 0);
  CHECK(told(with({{"Authorization", "Bearer " + key}})) == 401);  // which one counts?
}
