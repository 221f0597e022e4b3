#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/error.h"
#include "common/base/random.h"

namespace fl::client {

/// How long a device waits before it tries again. Each failure in a row doubles the wait up to a limit, and
/// chance takes up to half of it away, so that devices that lost the same server do not come back at once.
struct BackoffPolicy {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{std::chrono::minutes(1)};
  /// After so long a time without failure the failures before it count no more.
  std::chrono::milliseconds forget{std::chrono::seconds(10)};
  /// Before an update that the server could not take is sent again.
  std::chrono::milliseconds resend{std::chrono::seconds(5)};
  /// After failures that trying again does not mend soon: a revoked certificate, a full disk.
  std::chrono::milliseconds first_long{std::chrono::seconds(30)};
  std::chrono::milliseconds longest_long{std::chrono::hours(1)};
};

/// Whether a failure is of the lasting kind.
bool is_lasting(ErrorCode code);

/// Counts failures in a row. Pure but for the randomness that its seed fixes; one thread at a time.
class Backoff {
 public:
  Backoff(const BackoffPolicy& policy, std::uint64_t seed) : policy_(policy), random_(seed) {}

  /// The wait after one more failure.
  std::chrono::milliseconds after(ErrorCode code);
  /// All was well for so long: after a while the failures before it count no more. One that comes right after
  /// connecting does not clear them, so that a server that lets devices in and then fails is spared.
  void was_well_for(std::chrono::steady_clock::duration time);

 private:
  BackoffPolicy policy_;
  Random random_;
  unsigned failures_ = 0;
};

}  // namespace fl::client
