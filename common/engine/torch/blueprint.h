#pragma once

#include <string>
#include <vector>

#include "common/engine/engine.h"

namespace fl::libtorch {

/// A parameter of a built-in architecture and how PyTorch would draw its first values.
struct ParameterBlueprint {
  std::string part;  ///< The submodule: "conv1".
  std::string name;  ///< In it: "weight".
  Shape shape;
  double bound = 0.0;   ///< Uniform between -bound and bound,
  bool normal = false;  ///< or standard normal.
};

/// A built-in architecture as TorchScript and parameters. Knows nothing of libtorch.
struct Blueprint {
  std::string class_name;
  std::string source;                          ///< The method forward.
  std::vector<ParameterBlueprint> parameters;  ///< Those of a part stand together.
};

/// Throws Error(invalid_argument) naming the architecture and what of it does not fit.
///
///   linear  any shape, flattened; no hidden layers
///   mlp     any shape, flattened; hidden widths {64}
///   cnn1d   {channels, length}, two convolutions of width 5 and poolings, then dense; hidden {32, 64, 64}
///   cnn2d   {channels, height, width}, likewise; hidden {32, 64, 512}
///   lstm    {length} of character numbers, embedded in 8 dimensions, the last step counts; hidden {128}
Blueprint blueprint_of(const Architecture& architecture);

}  // namespace fl::libtorch
