#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/base/digest.h"
#include "common/model/encoding.h"
#include "common/model/layout.h"
#include "common/net/certificates.h"
#include "common/net/connection.h"
#include "common/net/endpoint.h"

namespace fl::bench {

/// Who the devices are and what they speak of.
struct EchoFleet {
  net::Endpoint server;
  net::Certificate authority;
  std::vector<net::Identity> devices;
  std::string task;
  Layout layout;
  Encoding encoding = Encoding::fp32;  ///< Of their updates.
};

/// A device that does not train: its half of the conversation, step by step, over connections of its own. One
/// coroutine at a time. Every step throws Error where the server breaks off, refuses or is silent for two
/// minutes.
class EchoDevice {
 public:
  using Awaitable = boost::asio::awaitable<void>;
  /// Is told each version that the server announces, at once.
  using OnVersion = std::function<void(std::uint64_t version)>;

  /// `fleet` outlives it.
  EchoDevice(const EchoFleet& fleet, std::size_t index, OnVersion on_version);

  /// Connects, says hello and subscribes; returns when it knows the newest version.
  Awaitable connect();
  void disconnect() { connection_.reset(); }
  Awaitable keep_alive();
  /// The newest version that it was told of; 0 before.
  std::uint64_t version() const { return version_; }

  /// Waits for a version after the newest that it was told of.
  Awaitable hear_of_version();
  /// Fetches the newest version's weights, and throws Error(invalid_data) where they are not what was signed.
  Awaitable fetch_weights();
  /// The same but for looking at them.
  Awaitable pass_weights_over();

  /// Asks for work and makes an update of fresh pseudo-random numbers when it is offered.
  Awaitable take_offer();
  /// Sends it; returns when it is acknowledged, and throws Error(failed_precondition) where it is refused.
  Awaitable send_update();

 private:
  struct Wire;  // the messages, and how they are read

  const EchoFleet& fleet_;
  OnVersion on_version_;
  net::TlsContext tls_;
  std::unique_ptr<net::Connection> connection_;
  std::uint64_t version_ = 0;
  std::uint64_t round_ = 0;
  std::uint64_t trained_version_ = 0;
  Digest weights_hash_;
  Bytes update_;
};

}  // namespace fl::bench
