#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "client/home/device_home.h"
#include "common/base/clock.h"
#include "common/model/difference.h"
#include "common/model/manifest.h"
#include "common/model/signing.h"
#include "common/net/certificates.h"
#include "tests/unit/client/linear_engine.h"

namespace fl::test {

/// A version as a server publishes it, with the bytes of its parts.
struct PublishedVersion {
  Manifest manifest;
  SignedManifest signed_manifest;
  Bytes archive;
  Weights weights;
  std::optional<Difference> difference = {};  ///< What a notice says of it.
  Bytes difference_bytes = {};
};

/// What a server has: keys, certificates, and versions of linear models with 2 inputs and 3 classes.
class Federation {
 public:
  static constexpr std::int64_t inputs = 2;
  static constexpr std::int64_t classes = 3;

  /// Version `version` of `task`, which answers class `favourite` to everything.
  PublishedVersion publish(const std::string& task, std::uint64_t version, std::int64_t favourite) const;
  /// The same with weights, an archive and a contract of the test's own.
  PublishedVersion publish(const std::string& task, std::uint64_t version, Weights weights,
                           Bytes archive) const;

  /// The version after `base`, in which the n-th weight has grown by about 0.01·n, with its difference.
  PublishedVersion publish_after(const PublishedVersion& base, Encoding encoding) const;

  /// A certificate for a device.
  net::Identity issue(const std::string& device, std::chrono::hours lifetime = std::chrono::hours(24)) const;
  /// A home as enrolment makes it.
  client::DeviceHome make_home(const std::filesystem::path& folder, const net::Endpoint& server,
                               std::chrono::hours lifetime = std::chrono::hours(24)) const;

  net::Validity validity(std::chrono::hours lifetime) const { return {SystemClock().now(), lifetime}; }

  net::Identity authority =
      net::make_authority("test authority", {SystemClock().now(), std::chrono::hours(48)});
  net::Identity server =
      net::issue_server(authority, "127.0.0.1", {SystemClock().now(), std::chrono::hours(48)});
  SigningKey signing_key = SigningKey::generate();
};

}  // namespace fl::test
