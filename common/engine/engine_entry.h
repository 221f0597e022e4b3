#pragma once

#include <cstdint>
#include <memory>

#include "common/engine/engine.h"

namespace fl {

/// Raised by one with every change of engine.h or of a type in its signatures, so that a module of another
/// build is refused instead of called.
inline constexpr std::uint32_t engine_abi = 2;

/// The module's file name and the one symbol it exports: a function of type EngineEntryFunction.
inline constexpr const char* engine_file_name = "fl-engine-torch.so";
inline constexpr const char* engine_entry_symbol = "fl_engine_entry";

/// What the module says of itself. Its first field stays the first in every version.
struct EngineEntry {
  std::uint32_t abi = engine_abi;
  std::unique_ptr<Engine> (*create)() = nullptr;
};

using EngineEntryFunction = const EngineEntry*();

}  // namespace fl
