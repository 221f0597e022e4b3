#pragma once

#include <optional>

#include "common/base/digest.h"
#include "common/model/layout.h"
#include "server/aggregation/difference_draft.h"
#include "server/aggregation/round_updates.h"
#include "server/ledger/blob_store.h"
#include "server/registry/registry.h"
#include "server/strategy/exact_fold.h"
#include "server/strategy/strategy.h"

namespace fl::server {

/// The version that a round starts from.
struct BaseVersion {
  Digest weights;
  std::optional<Digest> state;  ///< What the strategy carried to it; without, the strategy starts anew.
};

/// Makes the next version's blobs, as the strategy says of the base version and the folded updates. All that
/// is read and written passes in pieces, so that besides the fold no vector of the model's size is in memory
/// (I5). For a strategy with a rule `updates` are there, surveyed by that rule, and the fold is of the
/// buffers alone. For one with control variates the fold goes on behind the model's elements with theirs.
/// Where there is to be a difference, trained elements are rounded to it; what the strategy carries is not,
/// nor are buffers. A version whose steps the encoding has no room for has none, and is as the strategy says.
/// Any thread. Throws Error: invalid_data where a blob of the base is not what its name says;
/// failed_precondition where the new weights are not finite; as RoundUpdates does; as the disk fails. The
/// store then has nothing new but, at most, a state and a difference that nothing refers to.
RoundResult make_next_version(BlobStore& blobs, const BaseVersion& base, const Layout& layout,
                              const Strategy& strategy, const ExactFold& fold,
                              const RoundUpdates* updates = nullptr, const DifferencePlan& difference = {});

}  // namespace fl::server
