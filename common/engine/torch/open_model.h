#pragma once

#include <memory>

#include "common/engine/engine.h"

namespace fl::libtorch {

/// Engine::open.
std::unique_ptr<Model> open_model(ByteView archive, const TaskContract& contract);

}  // namespace fl::libtorch
