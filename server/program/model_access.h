#pragma once

#include <memory>

#include "common/engine/engine.h"
#include "server/program/asking.h"

namespace fl::server {

/// Loads the engine and opens a task's archive, checking that it has the task's layout.
std::unique_ptr<Model> open_model(const ServerHome& home, const KnownTask& task);

/// Puts a version's weights into the model; their hash is checked.
void load_version(const ServerHome& home, const KnownVersion& version, Model& model);

}  // namespace fl::server
