#pragma once

#include <cstdint>

#include "common/engine/engine.h"

namespace fl::libtorch {

/// Engine::build.
Bytes build_archive(const Architecture& architecture, std::uint64_t seed);

}  // namespace fl::libtorch
