#pragma once

#include <cstdint>

#include "common/engine/torch/binding.h"
#include "common/model/contract.h"

namespace fl::libtorch {

/// What models that draw random numbers in evaluation mode draw from, so that their answers repeat.
inline constexpr std::uint64_t answers_seed = 1;

/// What a trial learns of a model.
struct Trial {
  std::int64_t classes = 0;      ///< That it tells apart, for cross_entropy.
  bool draws = false;            ///< Whether it draws random numbers in evaluation mode.
  bool changes_weights = false;  ///< Whether it changes the vector in place in evaluation mode.
};

/// Model::try_out on a bound module, which it leaves as it was.
Trial try_out(Binding& binding, const TaskContract& contract);

}  // namespace fl::libtorch
