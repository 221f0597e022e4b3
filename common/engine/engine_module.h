#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "common/engine/engine.h"

namespace fl {

/// Loads libtorch's engine, a shared module of its own, on the first call and returns it from then on for as
/// long as somebody holds it. Takes about half a second and 150 MB the first time, so call it only when a
/// model is needed. Thread-safe. The module's code stays in the process for good: libtorch cannot be
/// unloaded.
///
/// The module is looked for in `folder` if given, else in the folder named by the environment variable
/// FL_ENGINE_DIR, beside the program (../lib/fl), and where it was installed. Throws Error(not_found) listing
/// the places, or Error(unavailable) with the loader's words where it cannot be loaded.
std::shared_ptr<Engine> load_engine(const std::optional<std::filesystem::path>& folder = std::nullopt);

}  // namespace fl
