#pragma once

#include <string_view>

/// The optional extras of fl/1, by their names in Hello and Welcome. What one of them adds is sent only where
/// both sides have named it (docs/protocol.md).
namespace fl::wire {

/// Devices evaluate versions: EvaluationOffer, EvaluationReport, EvaluationReply, and WorkDeclined of an
/// evaluation.
inline constexpr std::string_view evaluation_feature = "evaluation";

}  // namespace fl::wire
