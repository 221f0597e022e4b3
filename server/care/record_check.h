#pragma once

#include <optional>

#include "common/model/signing.h"
#include "server/care/finding.h"
#include "server/ledger/ledger.h"

namespace fl::server {

/// How many records were looked at.
struct RecordCounts {
  std::uint64_t tasks = 0;
  std::uint64_t versions = 0;
  std::uint64_t rounds = 0;
};

/// Holds a ledger's records against each other: the versions of each task go from 1 on without a gap, the
/// manifest of each verifies with `key`, names its weights, the task's archive and layout, and the manifest
/// before; every committed round made one version, an open one trains from the newest's weights, and the
/// newest is not pruned; evaluations as check_evaluations() has it. Without a key the manifests are not
/// looked at. Throws Error as the ledger does.
RecordCounts check_records(const Ledger& ledger, const std::optional<PublicKey>& key, Findings& findings);

}  // namespace fl::server
