// Asynchronous tasks, whose devices do not wait for each other.

#include <map>
#include <set>

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/e2e/members.h"

using namespace fl;
using namespace fl::test;

namespace {

void check_clean(const Federation& federation) {
  const boost::json::value report = json_of("fl-server", {"fsck", federation.server_home().string()});
  CAPTURE(boost::json::serialize(report));
  CHECK(report.at("clean") == true);
  CHECK(report.at("findings").as_array().empty());
}

/// An update of work that the first buffer offered, from version 1.
void send_late(Member& member, const std::filesystem::path& home) {
  ScriptedDevice::Update update;
  update.delta.assign(manifest_of(home).weights_count, 0.001F);
  CHECK(member.upload(update).outcome() == wire::Outcome::accepted);
}

}  // namespace

TEST_CASE(
    "devices make versions without waiting for one that is late and whose update counts all the same (I3)") {
  Federation::Settings settings;
  settings.devices = 4;
  settings.goal = 2;
  settings.rounds = 0;  // no end
  settings.more = "strategy = fedbuff\nserver-max-staleness = 10000\n";
  Federation federation(settings);
  federation.start_server();
  for (const std::uint32_t device : {0U, 1U, 2U}) federation.enrol(device);
  federation.enrol_with(3, {});
  Member late(federation.device_home(3));
  late.join(federation.port());
  CHECK(late.expect<wire::WorkOffer>().round() == 1);
  for (const std::uint32_t device : {0U, 1U, 2U}) federation.start_device(device);
  federation.wait_for_version(4);
  for (const std::uint32_t device : {0U, 1U, 2U})
    federation.device(device).wait_for_line("the server has the update");
  federation.kill_server();
  federation.start_server();
  late.connect(federation.port());
  late.subscribe(1);
  send_late(late, federation.device_home(3));
  federation.server().wait_for_line("committed as version ");
  federation.server().wait_for_line("committed as version ");
  late.disconnect();
  CHECK(federation.stop_server().exit_code == 0);
  check_clean(federation);

  const server::Ledger ledger = server::Ledger::snapshot(federation.server_home() / "ledger.db");
  std::map<std::string, std::size_t> counted;
  for (const server::RoundRecord& round : ledger.rounds("motion")) {
    std::set<std::string> accepted;
    for (const server::ParticipantRecord& device : ledger.participants("motion", round.round)) {
      if (device.state != server::ParticipantState::accepted) continue;
      accepted.insert(device.device);
      ++counted[device.device];
      if (device.device != late.id()) continue;
      CHECK(device.offered == 1);
      CHECK(device.staleness == round.base_version - 1);
      CHECK(device.staleness >= 3);
    }
    if (round.state == server::RoundState::committed) CHECK(accepted.size() == 2);
    CHECK(round.state != server::RoundState::abandoned);
  }
  CHECK(counted.size() == 4);
  CHECK(counted[late.id()] == 1);
}

TEST_CASE("a task whose buffers cannot be as its settings say is refused with what is allowed (I9)") {
  Federation::Settings settings;
  settings.goal = 2;
  settings.minimum = 1;
  settings.more = "strategy = fedbuff\nserver-max-staleness = 3\n";
  std::string refusal;
  try {
    const Federation federation(settings);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  CAPTURE(refusal);
  CHECK(refusal.find("the strategy fedbuff allows as many as the goal, 2") != std::string::npos);
}
