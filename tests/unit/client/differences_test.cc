// What a device makes of the difference from the version that it has, over real TLS on loopback.

#include <cstring>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "client/store/rebuild.h"
#include "common/base/files.h"
#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

/// Has the device adopt `first` and then `second`, which the script sends after its notice; what was said
/// meanwhile of fetching.
std::string adopt_after(const PublishedVersion& first, const PublishedVersion& second,
                        const Federation& federation, const FakeServer::Script& send_second) {
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.notice(second);
                      co_await send_second(peer);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted, 2);
  agent.stop();
  CHECK(device.serving() == second.manifest.version);
  Weights held(second.weights.size());
  device.models.find("har")->read_weights(second.manifest, held);
  CHECK(std::memcmp(held.data(), second.weights.data(), held.size() * sizeof(float)) == 0);
  std::size_t parts = 0;
  for (const auto& part : std::filesystem::directory_iterator(device.home.models_path() / "har" / "parts"))
    parts += part.is_regular_file() ? 1 : 0;
  CHECK(parts == 3);  // an archive, and the weights of two versions
  std::string said;
  for (std::size_t i = 1; i <= device.events.count(Kind::fetching); ++i)
    said += device.events.wait_for(Kind::fetching, i) + "\n";
  return said;
}

/// Expects a question for exactly this part and answers with it.
Task<> serve_part(Peer& peer, const PublishedVersion& version, Digest hash) {
  const Received received = co_await peer.expect<wire::Fetch>();
  CHECK(Digest::from_bytes(wire::bytes_of(received.as<wire::Fetch>().hash())) == hash);
  const ByteView part = part_of(version, hash);
  auto transfer = wire::make_message<wire::Transfer>(
      [&](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateTransfer(builder, part.size(), 0); });
  co_await peer.send(std::move(transfer));
  co_await peer.send_chunk(part);
}

}  // namespace

TEST_CASE("a device that has the version before fetches the difference alone and ends with the same bits") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  for (const Encoding encoding : {Encoding::fp16, Encoding::int8}) {
    CAPTURE(std::string(name(encoding)));
    const PublishedVersion second = federation.publish_after(first, encoding);
    const std::string said = adopt_after(first, second, federation, [&](Peer& peer) -> Task<> {
      co_await serve_part(peer, second, second.difference->hash);
    });
    CHECK(said.find("fetched whole") == std::string::npos);
  }
}

TEST_CASE("a device that has other weights than the difference begins from fetches the whole weights") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  PublishedVersion second = federation.publish_after(first, Encoding::int8);
  second.difference->base = sha256(as_bytes("other weights"));
  adopt_after(first, second, federation,
              [&](Peer& peer) -> Task<> { co_await serve_part(peer, second, second.manifest.weights_hash); });
}

TEST_CASE("a difference that cannot be of this model is not asked for (I8)") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  for (const bool too_many : {false, true}) {
    PublishedVersion second = federation.publish_after(first, Encoding::int8);
    if (too_many) second.difference->encoded = second.weights.size() + 1;
    if (!too_many) ++second.difference->bytes;
    adopt_after(first, second, federation, [&](Peer& peer) -> Task<> {
      co_await serve_part(peer, second, second.manifest.weights_hash);
    });
  }
}

TEST_CASE("a difference that is gone or other bytes or leads elsewhere gives way to the whole weights (I8)") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  PublishedVersion second = federation.publish_after(first, Encoding::fp16);
  std::string words;
  FakeServer::Script answer = [&](Peer& peer) -> Task<> {
    co_await serve_part(peer, second, second.difference->hash);
  };
  SUBCASE("gone") {
    words = "no";
    answer = [&](Peer& peer) -> Task<> {
      co_await peer.expect<wire::Fetch>();
      co_await peer.refuse(wire::RefusalCode::not_found, false);
    };
  }
  SUBCASE("other bytes") {
    words = "has another hash";
    second.difference_bytes.front() ^= std::byte{1};
  }
  SUBCASE("leads elsewhere") {
    words = "has another hash than the signed manifest says";
    second.difference_bytes.front() ^= std::byte{1};
    second.difference->hash = sha256(second.difference_bytes);
  }
  const std::string said = adopt_after(first, second, federation, [&](Peer& peer) -> Task<> {
    co_await answer(peer);
    co_await serve_part(peer, second, second.manifest.weights_hash);
  });
  CHECK(said.find("version 2 of har is fetched whole") != std::string::npos);
  CHECK(said.find(words) != std::string::npos);
}

TEST_CASE("weights are rebuilt in pieces and buffers are put in place of the old ones") {
  const TemporaryFolder folder;
  constexpr std::size_t encoded = difference_piece + 1500;
  constexpr std::size_t elements = encoded + difference_piece + 7;
  std::vector<float> base(elements);
  for (std::size_t i = 0; i < elements; ++i) base[i] = static_cast<float>(i) * 0.25F;
  const std::vector<float> steps(encoded, 0.5F);  // which fp16 has exactly
  std::vector<float> next(base.size(), -1.0F);
  for (std::size_t i = 0; i < encoded; ++i) next[i] = base[i] + 0.5F;
  Bytes bytes(encoded_bytes(Encoding::fp16, encoded));
  Random rounding(1);
  encode(Encoding::fp16, steps, rounding, bytes);
  const ByteView buffers = as_bytes(std::span<const float>(next).subspan(encoded));
  bytes.insert(bytes.end(), buffers.begin(), buffers.end());
  write_file_atomically(folder / "base", as_bytes(std::span<const float>(base)));
  write_file_atomically(folder / "moves", bytes);
  const Digest hash = sha256(as_bytes(std::span<const float>(next)));
  const Difference difference{{}, {}, bytes.size(), Encoding::fp16, encoded};
  const auto rebuild = [&](const Digest& expected) {
    rebuild_weights(folder / "base", folder / "moves", difference, elements, expected, folder / "next", {});
  };
  rebuild(hash);
  CHECK(sha256(read_file(folder / "next")) == hash);
  std::filesystem::remove(folder / "next");
  CHECK(code_thrown_by([&] { rebuild(sha256(as_bytes("another"))); }) == ErrorCode::invalid_data);
  std::filesystem::resize_file(folder / "base", 100);
  CHECK(code_thrown_by([&] { rebuild(hash); }) == ErrorCode::invalid_data);
  std::filesystem::remove(folder / "base");
  CHECK(code_thrown_by([&] { rebuild(hash); }) == ErrorCode::not_found);
  CHECK_FALSE(std::filesystem::exists(folder / "next"));
}
