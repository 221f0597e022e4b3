// Transfers that are cut off anywhere and either way, between a real server and a real device over TLS.

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "client/agent/outbox.h"
#include "common/base/error.h"
#include "protocol/limits.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/transfers/ends.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

/// A chunk in its frame, in records of 16 KiB with 22 bytes around each.
constexpr std::uint64_t chunk_on_the_wire =
    limits::sent_chunk_bytes + wire::frame_header_bytes + 22 * (limits::sent_chunk_bytes / 16384 + 1);
/// A second handshake, and what is said again before a transfer goes on.
constexpr std::uint64_t once_more = 8192;

constexpr const char* version_figure = "fl_version{task=\"tiny\"}";
constexpr const char* received_figure =
    "fl_transfer_bytes_total{direction=\"received\",encoding=\"fp32\",task=\"tiny\"}";

std::string sent_figure(const std::string& encoding) {
  return "fl_transfer_bytes_total{direction=\"sent\",encoding=\"" + encoding + "\",task=\"tiny\"}";
}

/// At the end of each of the first `frames` frames, and at random bytes of the first `bytes`.
std::vector<Cut> cuts_at(Way way, std::uint64_t frames, std::uint64_t bytes) {
  constexpr int random_cuts = 8;
  std::vector<Cut> cuts;
  for (std::uint64_t frame = 1; frame <= frames; ++frame) cuts.push_back({way, frame});
  Random random(7);
  for (int i = 0; i < random_cuts; ++i) cuts.push_back({way, 0, 1 + random.below(bytes)});
  return cuts;
}

/// Connects again and again until the device has this version.
void fetch_stubbornly(RelayedDevice& device, std::uint64_t version) {
  for (int tries = 0; tries < 5 && device.serving() != version; ++tries) {
    try {
      fetch_newest(device.parts());
    } catch (const Error& error) {
      if (error.code() == ErrorCode::invalid_data) throw;  // anything else may come of a cut
    }
  }
}

FinishedUpdate update_of(const std::vector<float>& delta, std::uint64_t round) {
  FinishedUpdate update;
  update.task = "tiny";
  update.round = update.version = round;
  update.layout_hash = image_model().layout.hash();
  const ByteView bytes = as_bytes(std::span<const float>(delta));
  update.bytes.assign(bytes.begin(), bytes.end());
  update.hash = sha256(bytes);
  update.examples = 1;
  update.steps = 1;
  return update;
}

/// Reports updates over the relay, each in a round of its own.
class Reporter {
 public:
  explicit Reporter(RelayedServer& ends) : ends_(ends), device_(ends) {}

  /// Reports one, over a connection with this cut; how many bytes it sent in all.
  std::uint64_t report(const std::vector<float>& delta, std::optional<Cut> cut) {
    const std::uint64_t round = ++reports_;
    ScriptedDevice in_its_place(device_.home.identity(), device_.home.authority(),
                                {"tiny", image_model().layout.hash()});
    in_its_place.connect(ends_.server.port());
    in_its_place.subscribe(round);
    in_its_place.expect<wire::Subscribed>();
    in_its_place.ask_for_work(round);
    in_its_place.expect<wire::WorkOffer>();
    in_its_place.disconnect();
    Outbox(device_.home.outbox_path()).put(update_of(delta, round));
    if (cut) ends_.relay.cut_next(*cut);
    const std::uint64_t before = ends_.relay.bytes(Way::up);
    Agent agent(device_.parts(), true);
    agent.start();
    ends_.server.await_figure(version_figure, static_cast<double>(round + 1));
    agent.stop();
    return ends_.relay.bytes(Way::up) - before;
  }
  std::uint64_t reports() const { return reports_; }

 private:
  RelayedServer& ends_;
  RelayedDevice device_;
  std::uint64_t reports_ = 0;
};

/// Fetches the version from what the device has kept, uncut and then with every cut; how many bytes came in
/// the first.
std::uint64_t check_cut_downloads(RelayedServer& ends, RelayedDevice& device, std::uint64_t version) {
  const CuttingRelay& relay = ends.relay;
  const std::uint64_t frames_before = relay.frames(Way::down);
  const std::uint64_t questions_before = relay.frames(Way::up);
  const std::uint64_t before = relay.bytes(Way::down);
  fetch_newest(device.parts());
  const std::uint64_t whole = relay.bytes(Way::down) - before;
  std::vector<Cut> cuts = cuts_at(Way::down, relay.frames(Way::down) - frames_before, whole);
  for (const Cut& cut : cuts_at(Way::up, relay.frames(Way::up) - questions_before, 1000)) cuts.push_back(cut);
  const std::vector<float> expected = ends.server.weights(version);
  for (const Cut& cut : cuts) {
    CAPTURE(static_cast<int>(cut.way));
    CAPTURE(cut.frames);
    CAPTURE(cut.bytes);
    device.forget();
    const std::uint64_t passed = relay.bytes(Way::down);
    ends.relay.cut_next(cut);
    fetch_stubbornly(device, version);
    REQUIRE(device.serving() == version);
    CHECK(device.weights() == expected);
    CHECK(relay.bytes(Way::down) - passed <= whole + chunk_on_the_wire + once_more);
  }
  return whole;
}

constexpr std::uint64_t rounds = 5;

/// What a device's training makes.
struct Made {
  std::vector<std::vector<float>> versions;
  std::optional<double> whole_bytes;       ///< Of weights, as the server sent them;
  std::optional<double> difference_bytes;  ///< of differences.
};

/// Has a device train whose first connections are cut like this.
Made versions_with(const std::vector<Cut>& cuts, Encoding download = Encoding::fp32) {
  RoundPlan plan;
  plan.rounds = rounds;
  plan.download_encoding = download;
  RelayedServer ends(plan);
  RelayedDevice device(ends);
  device.import_one_image();
  for (const Cut& cut : cuts) ends.relay.cut_next(cut);
  Agent agent(device.parts(), true);
  agent.start();
  device.events.wait_for(Kind::version_adopted, rounds + 1);
  agent.stop();
  CHECK((cuts.empty() || ends.relay.cuts_left() < cuts.size()));
  Made made;
  for (std::uint64_t version = 1; version <= rounds + 1; ++version)
    made.versions.push_back(ends.server.weights(version));
  CHECK(device.weights() == made.versions.back());
  made.whole_bytes = ends.server.figure(sent_figure("fp32"));
  made.difference_bytes = ends.server.figure(sent_figure("int8"));
  return made;
}

std::vector<Cut> resets() {
  Random random(3);
  std::vector<Cut> cuts;
  for (int i = 0; i < 20; ++i)
    cuts.push_back({random.below(2) == 0 ? Way::down : Way::up, 0, 1 + random.below(300'000), true});
  return cuts;
}

}  // namespace

TEST_CASE("a download that is cut anywhere goes on and brings no more than a chunk twice (I10)") {
  RelayedServer ends;
  RelayedDevice device(ends);
  CHECK(check_cut_downloads(ends, device, 1) > 2 * image_weights * sizeof(float));
}

TEST_CASE("a difference that is cut anywhere goes on and brings no more than a chunk twice (I10)") {
  RoundPlan plan;
  plan.download_encoding = Encoding::fp16;
  RelayedServer ends(plan);
  RelayedDevice device(ends);
  fetch_newest(device.parts());
  device.keep();
  Reporter(ends).report(exact_numbers(2), std::nullopt);
  const std::optional<double> whole = ends.server.figure(sent_figure("fp32"));
  const std::uint64_t fetched = check_cut_downloads(ends, device, 2);
  CHECK(fetched > image_weights * sizeof(std::uint16_t));
  CHECK(fetched < image_weights * sizeof(std::uint16_t) + once_more);
  CHECK(ends.server.figure(sent_figure("fp32")) == whole);
}

TEST_CASE("an upload that is cut anywhere goes on and counts once and no chunk comes twice (I3)") {
  RelayedServer ends;
  Reporter reporter(ends);
  std::vector<float> expected = image_model().weights;
  const auto report = [&](std::optional<Cut> cut) {
    const std::vector<float> delta = exact_numbers(100 + reporter.reports());
    for (std::size_t i = 0; i < delta.size(); ++i) expected[i] += delta[i];
    const std::uint64_t sent = reporter.report(delta, cut);
    CHECK(ends.server.weights(reporter.reports() + 1) == expected);
    return sent;
  };
  const std::uint64_t before = ends.relay.frames(Way::up);
  const std::uint64_t whole = report(std::nullopt);
  REQUIRE(whole > image_weights * sizeof(float));
  for (const Cut& cut : cuts_at(Way::up, ends.relay.frames(Way::up) - before, whole)) {
    CAPTURE(cut.frames);
    CAPTURE(cut.bytes);
    CHECK(report(cut) <= whole + chunk_on_the_wire + once_more);
  }
  const std::uint64_t announced = reporter.reports() * image_weights * sizeof(float);
  CHECK(ends.server.figure(received_figure) == static_cast<double>(announced));
}

TEST_CASE("rounds whose connections are reset at random bytes make the same versions as others (I4)") {
  const Made made = versions_with({});
  CHECK(made.whole_bytes == static_cast<double>((rounds + 1) * image_weights * sizeof(float)));
  CHECK(made.difference_bytes == 0);
  CHECK(versions_with(resets()).versions == made.versions);
}

TEST_CASE("a device that follows by differences has the server's bits and fetches the weights once (I4)") {
  const Made made = versions_with({}, Encoding::int8);
  CHECK(made.whole_bytes == static_cast<double>(image_weights * sizeof(float)));
  CHECK(made.difference_bytes == static_cast<double>(rounds * encoded_bytes(Encoding::int8, image_weights)));
  CHECK(versions_with(resets(), Encoding::int8).versions == made.versions);
}

TEST_CASE("what a cut download left and the disk has changed since is fetched anew (I8)") {
  RelayedServer ends;
  RelayedDevice device(ends);
  ends.relay.cut_next({Way::down, 0, 1'080'000});  // in the second chunk of the weights
  CHECK_THROWS_AS(fetch_newest(device.parts()), Error);
  std::filesystem::path part;
  for (const auto& file : std::filesystem::directory_iterator(device.home.models_path() / "tiny" / "parts"))
    if (file.path().extension() == ".part") part = file.path();
  REQUIRE(std::filesystem::file_size(part) == limits::sent_chunk_bytes);
  std::fstream(part, std::ios::in | std::ios::out | std::ios::binary) << "changed";
  CHECK(code_thrown_by([&] { fetch_newest(device.parts()); }) == ErrorCode::invalid_data);
  CHECK_FALSE(device.champion());
  fetch_newest(device.parts());
  CHECK(device.weights() == image_model().weights);
}
