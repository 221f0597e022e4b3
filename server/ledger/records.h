#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/model/contract.h"
#include "common/model/difference.h"
#include "common/model/encoding.h"
#include "common/model/layout.h"
#include "common/model/manifest.h"
#include "common/model/plan.h"

/// What the ledger keeps, as plain values.
namespace fl::server {

struct DeviceRecord {
  std::string id;
  std::string name;                ///< As the device or the operator called it.
  std::string certificate_serial;  ///< Of its newest certificate.
  Timestamp enrolled{};
  Timestamp certificate_expires{};
  Timestamp last_seen{};
  bool revoked = false;
};

/// Who may ask for predictions. Of the key itself only its SHA-256 is kept.
struct InferenceKeyRecord {
  std::string name;  ///< As the operator calls it.
  Digest hash;
  std::vector<std::string> tasks;  ///< Whose models it is for; empty: all.
  std::uint32_t per_minute = 0;    ///< Predictions at most.
  Timestamp created{};
};

/// What became of a token that a device showed.
enum class TokenOutcome : std::uint8_t { accepted, unknown, expired, used };

struct TaskRecord {
  std::string name;
  Plan plan;
  TaskContract contract;
  Layout layout;
  Digest archive_hash;
  std::uint64_t archive_bytes = 0;
  Timestamp created{};
};

struct VersionRecord {
  std::string task;
  std::uint64_t version = 0;
  std::uint64_t round = 0;  ///< The round that made it; 0 for the first version.
  SignedManifest manifest;
  Digest weights_hash;
  Timestamp published{};
  /// What the strategy carries to the next round, a blob; nothing where it carries nothing, or starts anew.
  std::optional<Digest> state_hash;
  /// Its weights, state and difference are not kept any more, unless another version has the same.
  bool pruned = false;
  /// What leads to it from the version before, a blob; nothing where devices get the whole weights alone.
  std::optional<Difference> difference;
};

enum class RoundState : std::uint8_t { open, committed, abandoned };
std::string_view name(RoundState state);

struct RoundRecord {
  std::string task;
  std::uint64_t round = 0;  ///< From 1; an abandoned round keeps its number.
  std::uint64_t base_version = 0;
  RoundState state = RoundState::open;
  double quantum = 0.0;  ///< Of the exact fold, see server/strategy/exact_fold.h.
  Timestamp opened{};
  Timestamp deadline{};
  Timestamp closed{};
  std::string reason;  ///< Why it was abandoned.
};

/// What became of a device that was selected.
enum class ParticipantState : std::uint8_t {
  selected,  ///< Nothing yet.
  accepted,
  refused,
  declined,  ///< It said that it cannot do the work.
  // Once the round has ended without it:
  late,     ///< It was at work when the deadline came.
  dropped,  ///< Its connection had ended.
  surplus,  ///< It was at work when enough updates of others had come.
};
std::string_view name(ParticipantState state);

/// What became, by device, of those that a round ended without.
using Endings = std::map<std::string, ParticipantState>;

/// A device's part in a round.
struct ParticipantRecord {
  std::string device;
  ParticipantState state = ParticipantState::selected;
  std::string reason;  ///< Why its update was refused, or it declined.
  Timestamp at{};
  Digest update_hash;  ///< accepted: the spooled delta's.
  std::uint64_t update_bytes = 0;
  Encoding encoding = Encoding::fp32;  ///< Of the spooled delta.
  std::uint32_t examples = 0;
  std::uint64_t steps = 0;  ///< Of training.
  double train_loss = 0.0;
  std::uint32_t test_examples = 0;
  double test_loss = 0.0;
  double test_accuracy = -1.0;  ///< -1 where the loss has none.
  /// The round whose work it was, of an asynchronous task perhaps one before; 0: this one.
  std::uint64_t offered = 0;
  std::uint64_t staleness = 0;  ///< accepted: how many versions the one it was trained from was behind.
};

/// Work of an asynchronous task that a device was given and has not done.
struct OpenWorkRecord {
  std::string device;
  std::uint64_t round = 0;  ///< That it was offered in, and what version that began from.
  std::uint64_t base_version = 0;
  Timestamp given{};  ///< Not before.
};

/// A round and what its participants did, added up. Losses and accuracy are means over examples.
struct RoundSummary {
  RoundRecord round;
  std::uint64_t version_made = 0;  ///< 0 where it made none.
  std::uint32_t selected = 0;      ///< Every device of the cohort, whatever became of it.
  std::uint32_t accepted = 0;
  std::uint32_t refused = 0;
  std::uint32_t declined = 0;
  std::uint32_t late = 0;
  std::uint32_t dropped = 0;
  std::uint32_t surplus = 0;
  std::map<std::string, std::uint32_t> refusals;  ///< How many refused or declined for each reason.
  // Of the accepted updates:
  std::uint64_t examples = 0;
  std::uint64_t update_bytes = 0;
  std::optional<double> train_loss;
  std::optional<double> test_loss;      ///< Of the base version, on the devices' held-out examples.
  std::optional<double> test_accuracy;  ///< The same.
};

}  // namespace fl::server
