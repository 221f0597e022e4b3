#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/model/encoding.h"

namespace fl {

/// What leads from the weights of one version to those of the next, in fewer bytes than these have. It is,
/// without gaps: of each of the first `encoded` elements, the trained ones, what is to be added to it, in
/// `encoding`; then of each other element, a buffer, its new value in single precision.
struct Difference {
  Digest base;              ///< SHA-256 of the weights that it is added to.
  Digest hash;              ///< SHA-256 of its own bytes.
  std::uint64_t bytes = 0;  ///< difference_bytes() of the model.
  Encoding encoding = Encoding::fp32;
  std::uint64_t encoded = 0;
};

/// How many bytes the difference of so many elements has, of which the first `encoded`, at most all, are
/// encoded.
std::uint64_t difference_bytes(Encoding encoding, std::uint64_t encoded, std::uint64_t elements);

/// Elements of a difference that are worked on at a time: a multiple of encoding_block.
inline constexpr std::size_t difference_piece = std::size_t{64} << 10U;

/// Adds to `weights` what encode() made `bytes` of, as many elements. One addition in single precision each,
/// so that the sum has the same bits on every machine.
void add_decoded(Encoding encoding, ByteView bytes, std::span<float> weights);

}  // namespace fl
