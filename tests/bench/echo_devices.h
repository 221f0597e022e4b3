#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/model/layout.h"
#include "common/net/certificates.h"
#include "common/net/endpoint.h"

namespace fl::bench {

/// Who the devices are and what they speak of.
struct EchoFleet {
  net::Endpoint server;
  net::Certificate authority;
  std::vector<net::Identity> devices;
  std::string task;
  Layout layout;
};

/// Devices that do not train: each fetches and hashes every version, and answers each offer of work with an
/// update of fresh pseudo-random numbers, hashed, over a connection of its own. They run on two threads and
/// return when the task's version `last` has reached all of them.
///
/// The result: for each version from the third on, the seconds since the version before was announced, as the
/// first device heard of them. Throws Error where a device fails, or is refused.
std::vector<double> run_echo_devices(const EchoFleet& fleet, std::uint64_t last);

}  // namespace fl::bench
