#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/digest.h"
#include "common/engine/engine.h"
#include "common/model/difference.h"
#include "common/model/layout.h"
#include "common/model/manifest.h"
#include "common/model/plan.h"

namespace fl::client {

using Moment = std::chrono::steady_clock::time_point;

/// The server has a version that this device may not have.
struct Notice {
  std::string task;
  std::uint64_t version = 0;  ///< As the notice says; the signed manifest has the last word.
  SignedManifest manifest;
  std::optional<Difference> difference = {};  ///< What leads to its weights, if the server says; not signed.
};

/// The server takes the device into a round.
struct Offer {
  std::string task;
  std::uint64_t round = 0;
  std::uint64_t version = 0;  ///< To train from.
  TrainingPlan plan;
  std::uint64_t seed = 0;
  std::uint32_t max_examples = 0;
  float max_delta = 0.0F;
  Encoding encoding = Encoding::fp32;
  Moment deadline;
  std::uint32_t max_staleness = 0;  ///< How many newer versions may come before an update is worth nothing.
  // Of a task with control variates:
  std::uint64_t control_elements = 0;  ///< 0: it has none.
  std::optional<Digest> control;       ///< The server's; without, zeros.
  float max_control = 0.0F;
};

/// The server has a version tested on this device's held-out examples.
struct EvaluationOffer {
  std::string task;
  std::uint64_t evaluation = 0;
  std::uint64_t version = 0;
  Moment deadline;
};

/// What was offered cannot be done here; the operator is told why.
struct Decline {
  std::string task;
  std::uint64_t round = 0;
  std::string reason;
  std::uint64_t evaluation = 0;  ///< Above 0: it is this that cannot be done, and not a round's work.
};

/// What a device learned in a round, kept until the server has it or will not have it.
struct FinishedUpdate {
  std::string task;
  std::uint64_t round = 0;
  std::uint64_t version = 0;
  Digest layout_hash;
  Encoding encoding = Encoding::fp32;
  Bytes bytes;  ///< Weights after training minus weights before, encoded.
  Digest hash;  ///< Of the bytes.
  std::uint32_t examples = 0;
  std::uint64_t steps = 0;
  double train_loss = 0.0;
  Evaluation test;  ///< Of the version trained from, on the held-out examples.
  Moment deadline;
  Weights control;  ///< What the device's control variate becomes once this counts; empty where it has none.
};

}  // namespace fl::client
