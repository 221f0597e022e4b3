#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/bytes.h"

namespace fl {

class Random;

/// How the elements of an update travel and lie in the spool. All are little-endian.
enum class Encoding : std::uint8_t {
  fp32,  ///< As they are: 4 bytes each.
  fp16,  ///< IEEE 754 half precision, rounded to nearest: 2 bytes each, a relative error of 2^-11 at most
         ///< down to 2^-14, an absolute one of 2^-25 below.
  int8,  ///< By blocks of encoding_block: a float s, then for each element an integer q from -127 to 127 that
         ///< stands for q·s; s is the block's largest magnitude over 127, and so that 127·s
         ///< is no larger. Rounded up or down by chance, so
         ///< that the mean of what is decoded is the element (QSGD: Alistarh et al., NeurIPS 2017, section
         ///< 3.1, with the infinity norm); off by less than s. 1.004 bytes an element.
};
std::string_view name(Encoding encoding);
/// Throws Error(invalid_argument) naming the known ones.
Encoding encoding_from_name(std::string_view name);

/// What is done to the chunks of an update on their way, without loss; what lies in the spool is as encoded.
enum class Compression : std::uint8_t {
  none,
  zstd,  ///< Each chunk is compressed by Zstandard, where the device can and it helps.
};
std::string_view name(Compression compression);
/// Throws Error(invalid_argument) naming the known ones.
Compression compression_from_name(std::string_view name);

/// Elements that are encoded together. A vector may be encoded and decoded piece by piece, each but the last
/// a multiple of so many elements; the pieces follow each other without gaps.
inline constexpr std::size_t encoding_block = 1024;
/// The largest magnitude that `encoding` has room for.
float largest_encodable(Encoding encoding);

/// What elements of at most `bound` in magnitude may come to when they have been encoded and decoded.
float largest_decoded(Encoding encoding, float bound);

/// How many bytes so many elements take.
std::uint64_t encoded_bytes(Encoding encoding, std::uint64_t elements);

/// Writes `values`, finite and at most largest_encodable() in magnitude, to `out`, which has encoded_bytes()
/// of them. `random` is drawn from by int8 alone, the same way for the same values.
void encode(Encoding encoding, std::span<const float> values, Random& random, std::span<std::byte> out);

/// The inverse, whatever the bytes: `values` are as many as were encoded, NaN and infinities among them where
/// the bytes say so.
void decode(Encoding encoding, ByteView bytes, std::span<float> values);

}  // namespace fl
