#include <limits>

#include <doctest/doctest.h>

#include "tests/e2e/members.h"
#include "tests/e2e/refusals.h"

using namespace fl;
using namespace fl::test;

namespace {

/// An update that must be refused, to the device and in the server's log, by this outcome and these words.
void check_refused(Federation& federation, ScriptedDevice& device, const ScriptedDevice::Update& update,
                   wire::Outcome outcome, const std::string& words) {
  const wire::UpdateReply& reply = device.upload(update);
  CAPTURE(words);
  CHECK(reply.outcome() == outcome);
  CHECK(contains(std::string(wire::text_of(reply.sentence())), words));
  const std::string line = federation.server().wait_for_line("update refused");
  CAPTURE(line);
  CHECK(contains(line, device.id()));
  CHECK(contains(line, wire::EnumNameOutcome(outcome)));
  CHECK(contains(line, words));
}

}  // namespace

TEST_CASE("updates that a round does not take are refused by name and it completes with the good ones (I9)") {
  Federation::Settings settings;
  settings.devices = 8;
  settings.minimum = 2;
  settings.rounds = 1;
  settings.more = "max-examples = 1000\nmax-delta = 2\n";
  Federation federation(settings);
  federation.start_server();
  for (std::uint32_t device = 0; device < 7; ++device) federation.enrol_with(device, {});
  federation.enrol(7);
  federation.start_device(7);
  Member with_nan(federation.device_home(0));
  Member with_infinity(federation.device_home(1));
  Member too_far(federation.device_home(2));
  Member too_short(federation.device_home(3));
  Member of_another_layout(federation.device_home(4));
  Member too_weighty(federation.device_home(5));
  Member corrected(federation.device_home(6));
  const std::vector<Member*> members = {&with_nan,          &with_infinity, &too_far,  &too_short,
                                        &of_another_layout, &too_weighty,   &corrected};
  for (Member* member : members) member->join(federation.port());
  for (Member* member : members) member->expect<wire::WorkOffer>();

  ScriptedDevice::Update good;
  good.delta.assign(manifest_of(federation.device_home(0)).weights_count, 0.001F);
  ScriptedDevice::Update bad = good;
  bad.delta[7] = std::numeric_limits<float>::quiet_NaN();
  check_refused(federation, with_nan, bad, wire::Outcome::not_finite, "element 7 ");
  bad.delta[7] = -std::numeric_limits<float>::infinity();
  check_refused(federation, with_infinity, bad, wire::Outcome::not_finite, "element 7 ");
  bad.delta[7] = 2.5F;
  check_refused(federation, too_far, bad, wire::Outcome::delta_too_large, "element 7 ");

  bad = good;
  bad.delta.pop_back();
  check_refused(federation, too_short, bad, wire::Outcome::wrong_length,
                std::to_string(good.delta.size() * sizeof(float)) + " bytes");
  bad = good;
  bad.layout_hash = sha256(as_bytes("another layout"));
  check_refused(federation, of_another_layout, bad, wire::Outcome::wrong_layout, "layout");
  bad = good;
  bad.examples = 1001;
  check_refused(federation, too_weighty, bad, wire::Outcome::too_many_examples, "at most 1000 examples");
  bad = good;
  bad.round = 2;
  check_refused(federation, corrected, bad, wire::Outcome::round_closed, "round 2");
  bad = good;
  bad.hash = sha256(as_bytes("other bytes"));
  check_refused(federation, corrected, bad, wire::Outcome::wrong_hash, "hash");
  CHECK(corrected.upload(good).outcome() == wire::Outcome::accepted);
  federation.wait_for_version(2);
  check_refused(federation, with_nan, good, wire::Outcome::round_closed, "round 1 is over");

  const boost::json::value round = federation.rounds().at(0);
  CHECK(round.at("accepted") == 2);
  CHECK(round.at("refused") == 6);
  CHECK(round.at("version") == 2);
}
