#pragma once

#include <doctest/doctest.h>

#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

namespace fl::test {

inline RoundPlan two_of_two() {
  RoundPlan plan;
  plan.goal = 2;
  plan.minimum = 2;
  return plan;
}

/// Both have the work of the first round.
inline void begin_round(const TestServer& server, ScriptedDevice& a, ScriptedDevice& b) {
  a.come_for_work(server.port(), 1);
  b.come_for_work(server.port(), 1);
  a.expect<wire::WorkOffer>();
  b.expect<wire::WorkOffer>();
}

/// A device makes version 2 alone and has heard of it.
inline void make_second_version(const TestServer& server, ScriptedDevice& device) {
  device.come_for_work(server.port(), 1);
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 2);
}

}  // namespace fl::test
