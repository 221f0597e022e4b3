#pragma once

#include <filesystem>
#include <span>

#include "common/base/bytes.h"
#include "common/model/layout.h"

namespace fl {

/// The flat vector as a safetensors file (an 8-byte little-endian header length, a JSON header naming each
/// tensor's dtype, shape and data_offsets, then the bytes), readable by the Python package `safetensors`.
/// Throws Error(invalid_argument) if `weights` has not `layout.size()` elements.
Bytes to_safetensors(const Layout& layout, std::span<const float> weights);

/// Reads F32, F16, BF16 and F64 tensors into a flat vector laid out as `layout`, matching by name. Throws
/// Error(invalid_data) naming the tensor that is missing, unknown, of another shape, or whose offsets lie
/// outside the file or overlap; and where the header is longer than the file or than 100 MB.
Weights from_safetensors(ByteView file, const Layout& layout);

}  // namespace fl
