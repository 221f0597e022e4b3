// Versions that are published by their difference from the one before, as devices are told of them.

#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/model/difference.h"
#include "protocol/features.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

const std::vector<std::string> with_differences{std::string(wire::differences_feature)};

RoundPlan by_differences() {
  RoundPlan plan;
  plan.goal = plan.minimum = 1;
  plan.download_encoding = Encoding::int8;
  return plan;
}

/// A server whose round 1 has made version 2, and the device that worked in it.
struct TwoVersions {
  TwoVersions() : server(by_differences()), device(server.token()) {
    device.name_features(with_differences);
    device.come_for_work(server.port(), 1);
    device.expect<wire::WorkOffer>();
    ScriptedDevice::Update update;
    update.delta = {1.0F, -0.123F, 0.3F, 0.0F};
    CHECK(device.upload(update).outcome() == wire::Outcome::accepted);
    device.expect<wire::VersionNotice>();
  }

  const wire::VersionNotice& notice_to(ScriptedDevice& one, const std::vector<std::string>& features) const {
    one.name_features(features);
    one.connect(server.port());
    one.subscribe(1);
    return one.expect<wire::VersionNotice>();
  }
  void fetch(const Digest& part, std::uint64_t offset) {
    device.send(wire::make_message<wire::Fetch>([&](flatbuffers::FlatBufferBuilder& builder) {
      return wire::CreateFetch(builder, wire::field_of(builder, part.bytes), offset);
    }));
  }

  TestServer server;
  ScriptedDevice device;
};

Digest hash_of(const std::vector<float>& weights) {
  return sha256(as_bytes(std::span<const float>(weights)));
}

}  // namespace

TEST_CASE("a device is told what leads to the newest version and it does also after a restart (I4)") {
  TwoVersions two;
  for (const bool restarted : {false, true}) {
    CAPTURE(restarted);
    if (restarted) {
      two.server.stop();
      two.server.start();
    }
    const auto* const difference = two.notice_to(two.device, with_differences).difference();
    REQUIRE(difference != nullptr);
    CHECK(Digest::from_bytes(wire::bytes_of(difference->base())) == hash_of(two.server.weights(1)));
    CHECK(difference->encoding() == wire::Encoding::int8);
    CHECK(difference->encoded() == 4);
    CHECK(difference->length() == 8);
    const Digest hash = Digest::from_bytes(wire::bytes_of(difference->hash()));
    const Bytes bytes = read_file(two.server.home() / "blobs" / hash.hex());
    std::vector<float> rebuilt = two.server.weights(1);
    add_decoded(Encoding::int8, bytes, rebuilt);
    CHECK(rebuilt == two.server.weights(2));
    two.fetch(hash, 8);
    CHECK(two.device.expect<wire::Transfer>().length() == 8);
  }
  CHECK(two.server.weights(2)[0] == doctest::Approx(2.0F));
  CHECK(two.server.weights(2)[1] == doctest::Approx(2.0F - 0.123F).epsilon(0.01));
}

TEST_CASE("the same updates make the same rounded version whenever the round is made (I4)") {
  TwoVersions one;
  TwoVersions other;
  CHECK(one.server.weights(2) == other.server.weights(2));
}

TEST_CASE("a device that does not know differences is told of the whole version alone") {
  TwoVersions two;
  CHECK(two.notice_to(two.device, {}).difference() == nullptr);
  CHECK(two.notice_to(two.device, {"something else"}).difference() == nullptr);
}

TEST_CASE("a server that has lost a difference starts and says that it is not there (I9)") {
  TwoVersions two;
  const auto* const difference = two.notice_to(two.device, with_differences).difference();
  const Digest hash = Digest::from_bytes(wire::bytes_of(difference->hash()));
  two.server.stop();
  std::filesystem::remove(two.server.home() / "blobs" / hash.hex());
  two.server.start();
  two.notice_to(two.device, with_differences);
  two.fetch(hash, 0);
  CHECK(two.device.expect<wire::Refusal>().code() == wire::RefusalCode::not_found);
  two.fetch(hash_of(two.server.weights(2)), 16);
  CHECK(two.device.expect<wire::Transfer>().length() == 16);
}
