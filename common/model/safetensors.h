#pragma once

#include <span>

#include "common/base/bytes.h"
#include "common/model/layout.h"

namespace fl {

/// The flat vector as a safetensors file (an 8-byte little-endian header length, a JSON header naming each
/// tensor's dtype, shape and data_offsets, padded with spaces to a multiple of 8 bytes, then the bytes),
/// readable by the Python package `safetensors`. Every tensor is F32, in the layout's order.
/// Throws Error(invalid_argument) if `weights` has not `layout.size()` elements, or a tensor is named
/// "__metadata__".
Bytes to_safetensors(const Layout& layout, std::span<const float> weights);

/// Reads F32, F16, BF16 and F64 tensors into a flat vector laid out as `layout`, matching by name; the file's
/// metadata, strings by name, is ignored. NaN and infinities are kept: see first_outside(). Throws
/// Error(invalid_data) naming the tensor that is missing, unknown, of another dtype or shape, or holds more
/// than fp32 can, or whose offsets lie outside the file, overlap or leave a gap; and where the header is
/// longer than the file or than model_limits::safetensors_header_bytes, or is not the JSON it should be.
Weights from_safetensors(ByteView file, const Layout& layout);

}  // namespace fl
