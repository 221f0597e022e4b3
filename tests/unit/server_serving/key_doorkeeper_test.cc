#include "server/serving/key_doorkeeper.h"

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::server;
using serving::route_of;

namespace {

InferenceKeyRecord record(const std::string& name, std::vector<std::string> tasks = {},
                          std::uint32_t per_minute = 60) {
  return {name, sha256(as_bytes("key of " + name)), std::move(tasks), per_minute, {}};
}

struct Keys {
  explicit Keys(const std::vector<InferenceKeyRecord>& keys) { ring->replace(keys); }

  /// The status of what a request is told instead of an answer; 0: it may ask.
  unsigned told(const std::string& authorization, const char* method, const char* target) {
    const net::HttpRequest head{method, target, {{"Authorization", authorization}}, {}};
    const auto refused = doorkeeper.refusal(head, route_of(method, target));
    return refused ? refused->status : 0;
  }
  unsigned infer(const std::string& name, const std::string& task = "har") {
    return told("Bearer key of " + name, "POST", ("/v2/models/" + task + "/infer").c_str());
  }

  std::shared_ptr<KeyRing> ring = std::make_shared<KeyRing>();
  KeyDoorkeeper doorkeeper{ring};
};

}  // namespace

TEST_CASE("who shows a key may ask and nobody else") {
  Keys keys({record("shop")});
  CHECK(keys.infer("shop") == 0);
  CHECK(keys.told("bearer key of shop", "GET", "/v2") == 0);
  CHECK(keys.infer("thief") == 401);
  for (const char* const authorization : {"", "Bearer", "Bearer ", "key of shop", "Basic key of shop"}) {
    CAPTURE(authorization);
    CHECK(keys.told(authorization, "GET", "/v2") == 401);
    CHECK(keys.told(authorization, "GET", "/nowhere") == 401);
    CHECK(keys.told(authorization, "GET", "/v2/health/live") == 0);
    CHECK(keys.told(authorization, "GET", "/v2/health/ready") == 0);
  }
}

TEST_CASE("a key is for its tasks alone") {
  Keys keys({record("shop", {"har", "digits"}), record("all")});
  CHECK(keys.infer("shop", "har") == 0);
  CHECK(keys.infer("shop", "digits") == 0);
  CHECK(keys.infer("shop", "motion") == 403);
  CHECK(keys.told("Bearer key of shop", "GET", "/v2/models/motion") == 403);
  CHECK(keys.told("Bearer key of shop", "GET", "/v2") == 0);
  CHECK(keys.infer("all", "motion") == 0);
}

TEST_CASE("a key is good for so many predictions a minute however often the keys are read again") {
  Keys keys({record("shop", {}, 3), record("other", {}, 3)});
  for (int i = 0; i < 3; ++i) {
    CHECK(keys.infer("shop") == 0);
    keys.ring->replace({record("shop", {}, 3), record("other", {}, 3)});
  }
  CHECK(keys.infer("shop") == 429);
  CHECK(keys.told("Bearer key of shop", "GET", "/v2/models/har") ==
        0);  // what is no prediction does not count
  CHECK(keys.infer("other") == 0);
  keys.ring->replace({record("shop", {}, 10)});
  CHECK(keys.infer("shop") == 0);
}

TEST_CASE("a key that was removed opens nothing") {
  Keys keys({record("shop"), record("other")});
  CHECK(keys.infer("shop") == 0);
  keys.ring->replace({record("other")});
  CHECK(keys.infer("shop") == 401);
  CHECK(keys.infer("other") == 0);
}
