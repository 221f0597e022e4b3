#include "protocol/compression.h"

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "protocol/features.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

constexpr std::size_t elements = 20'000;
constexpr const char* received =
    R"(fl_transfer_bytes_total{direction="received",encoding="int8",task="tiny"})";

TestModel larger_model() {
  TestModel model = tiny_model();
  model.layout = Layout();
  model.layout.add("weight", Datatype::fp32, {elements}, Role::trained);
  model.weights.assign(elements, 1.0F);
  return model;
}

RoundPlan plan_with(Compression compression) {
  RoundPlan plan;
  plan.goal = plan.minimum = 1;
  plan.encoding = Encoding::int8;
  plan.compression = compression;
  return plan;
}

ScriptedDevice::Update update_of_normal_numbers() {
  Random random(3);
  ScriptedDevice::Update update;
  update.encoding = Encoding::int8;
  update.layout_hash = larger_model().layout.hash();
  update.delta.resize(elements);
  for (float& value : update.delta) value = static_cast<float>(0.01 * random.normal());
  return update;
}

/// A server of the larger model, and a device at work for it.
struct Working {
  explicit Working(Compression compression,
                   std::vector<std::string> features = {std::string(wire::zstd_feature)})
      : server(plan_with(compression), server::ServerConfig(), larger_model()), device(server.token()) {
    device.name_features(std::move(features));
    device.come_for_work(server.port(), 1);
    device.expect<wire::WorkOffer>();
  }

  /// What the server made of the update.
  std::vector<float> weights_after_upload() {
    CHECK(device.upload(update_of_normal_numbers()).outcome() == wire::Outcome::accepted);
    device.expect<wire::VersionNotice>();
    return server.weights(2);
  }

  TestServer server;
  ScriptedDevice device;
};

}  // namespace

TEST_CASE("a compressed update takes fewer bytes and makes the very same version (I4)") {
  Working plain(Compression::none);
  Working compressed(Compression::zstd);
  CHECK(compressed.weights_after_upload() == plain.weights_after_upload());
  const double all = plain.server.figure(received).value();
  CHECK(all == static_cast<double>(encoded_bytes(Encoding::int8, elements)));
  // Normal numbers of which the largest of 1,024 is 127 deviate by about 37, which is 7.3 bits of entropy.
  CHECK(compressed.server.figure(received).value() < 0.93 * all);
}

TEST_CASE("a device that does not compress is not asked to") {
  Working run(Compression::zstd, {});
  run.weights_after_upload();
  CHECK(run.server.figure(received) == static_cast<double>(encoded_bytes(Encoding::int8, elements)));
}

TEST_CASE("a compressed chunk that was not asked for or is none or too long ends the connection (I8)") {
  Compression compression = Compression::zstd;
  Bytes chunk(encoded_bytes(Encoding::int8, elements));
  wire::ChunkCompressor compressor;
  SUBCASE("not asked for") {
    compression = Compression::none;
  }
  SUBCASE("longer than the rest of the update") {
    chunk.push_back(std::byte{0});
  }
  const ByteView compressed = compressor.compress(chunk);
  chunk.assign(compressed.begin(), compressed.end());
  SUBCASE("none") {
    chunk.pop_back();
  }
  Working run(compression);
  run.device.announce(update_of_normal_numbers());
  run.device.expect<wire::UpdateGo>();
  run.device.send_compressed_chunk(chunk);
  CHECK(run.device.expect<wire::Refusal>().code() == wire::RefusalCode::unexpected);
  CHECK(run.server.rounds().back().state == server::RoundState::open);
}
