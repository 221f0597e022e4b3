#pragma once

#include <string_view>

/// The optional extras of fl/1, by their names in Hello and Welcome. What one of them adds is sent only where
/// both sides have named it (docs/protocol.md).
namespace fl::wire {

/// Devices evaluate versions: EvaluationOffer, EvaluationReport, EvaluationReply, and WorkDeclined of an
/// evaluation.
inline constexpr std::string_view evaluation_feature = "evaluation";

/// Versions are made of the one before: VersionNotice.difference.
inline constexpr std::string_view differences_feature = "differences";

/// The chunks of an update may be compressed: UpdateGo.compress, frames of kind 3.
inline constexpr std::string_view zstd_feature = "zstd";

}  // namespace fl::wire
