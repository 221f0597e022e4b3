#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "common/model/layout.h"
#include "protocol/message.h"
#include "server/ledger/blob_store.h"
#include "server/strategy/exact_fold.h"
#include "server/strategy/strategy.h"

namespace fl::server {

/// Why the content of a delta is refused.
struct UpdateFault {
  wire::Outcome outcome;
  std::string sentence;
};

/// Reads a spooled delta in pieces and looks for what must not be counted: NaN, infinity, elements over
/// `bound`.
std::optional<UpdateFault> check_update(const std::filesystem::path& delta, float bound);

/// Adds a spooled delta to the fold, read in pieces (I5). Throws Error where the file cannot be read or does
/// not have fold.size() elements; the fold is then not to be used any more.
void fold_update(const std::filesystem::path& delta, std::uint32_t weight, ExactFold& fold);

/// The next version's weights: the base version's, moved as the strategy says.
Weights next_weights(const BlobStore& blobs, const Digest& base, const Layout& layout,
                     const Strategy& strategy, const ExactFold& fold);

}  // namespace fl::server
