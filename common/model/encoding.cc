#include "common/model/encoding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/model/names.h"

namespace fl {
namespace {

constexpr names::Table<Encoding, 3> encodings{
    {{Encoding::fp32, "fp32"}, {Encoding::fp16, "fp16"}, {Encoding::int8, "int8"}}};

constexpr names::Table<Compression, 2> compressions{
    {{Compression::none, "none"}, {Compression::zstd, "zstd"}}};

constexpr float largest_half = 65504.0F;
constexpr float largest_quantum = 127.0F;

std::uint16_t half_from(float value) {
  constexpr std::uint32_t least_normal = 0x38800000;  // 2^-14
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  // Below 2^-14 the sum with 0.5 has the subnormal's unit as its last bit, and rounds to it.
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                                  std::bit_cast<std::uint32_t>(0.5F);
  const std::uint32_t to_even = (magnitude >> 13U) & 1U;
  const std::uint32_t normal = (magnitude - 0x38000000U + 0xFFFU + to_even) >> 13U;
  return static_cast<std::uint16_t>(((bits >> 16U) & 0x8000U) |
                                    (magnitude < least_normal ? subnormal : normal));
}

float float_from(std::uint16_t half) {
  constexpr std::uint32_t infinity = 0x7C00;
  const std::uint32_t magnitude = half & 0x7FFFU;
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  // The exponents' biases differ by 112.
  const float scaled = std::bit_cast<float>(magnitude << 13U) * 0x1p112F;
  const std::uint32_t special = 0x7F800000U | (magnitude << 13U);
  const std::uint32_t bits = magnitude < infinity ? std::bit_cast<std::uint32_t>(scaled) : special;
  return std::bit_cast<float>(bits | sign);
}

void encode_halves(std::span<const float> values, std::span<std::byte> out) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = half_from(values[i]);
    std::memcpy(out.data() + i * sizeof half, &half, sizeof half);
  }
}

void decode_halves(ByteView bytes, std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + i * sizeof half, sizeof half);
    values[i] = float_from(half);
  }
}

/// Between 0 and 1, by 2^-24.
float fraction_from(Random& random) {
  return static_cast<float>(random() >> 40U) * 0x1p-24F;
}

void encode_block(std::span<const float> values, Random& random, std::byte* out) {
  float largest = 0.0F;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  float scale = largest / largest_quantum;
  if (scale * largest_quantum > largest) scale = std::nextafter(scale, 0.0F);
  // A scale so small that it has no inverse: what it would stand for is nothing.
  const float inverse = scale >= std::numeric_limits<float>::min() ? 1.0F / scale : 0.0F;
  const float kept = inverse > 0.0F ? scale : 0.0F;
  std::memcpy(out, &kept, sizeof kept);
  out += sizeof kept;
  for (const float value : values) {
    const float quantum = std::floor(value * inverse + fraction_from(random));
    const auto rounded = static_cast<std::int8_t>(std::clamp(quantum, -largest_quantum, largest_quantum));
    std::memcpy(out++, &rounded, sizeof rounded);
  }
}

void decode_block(const std::byte* bytes, std::span<float> values) {
  float scale = 0.0F;
  std::memcpy(&scale, bytes, sizeof scale);
  bytes += sizeof scale;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int8_t quantum = 0;
    std::memcpy(&quantum, bytes + i, sizeof quantum);
    values[i] = static_cast<float>(quantum) * scale;
  }
}

/// Calls `visit` with each block's elements and where its bytes begin.
template <typename Values, typename Visit>
void for_each_block(Values values, Visit visit) {
  std::size_t at = 0;
  while (!values.empty()) {
    const auto block = values.first(std::min(values.size(), encoding_block));
    visit(block, at);
    at += encoded_bytes(Encoding::int8, block.size());
    values = values.subspan(block.size());
  }
}

}  // namespace

std::string_view name(Encoding encoding) {
  return names::find_name(encodings, encoding);
}

Encoding encoding_from_name(std::string_view name) {
  return names::find_value(encodings, "encoding", name);
}

std::string_view name(Compression compression) {
  return names::find_name(compressions, compression);
}

Compression compression_from_name(std::string_view name) {
  return names::find_value(compressions, "compression", name);
}

float largest_encodable(Encoding encoding) {
  return encoding == Encoding::fp16 ? largest_half : std::numeric_limits<float>::max();
}

float largest_decoded(Encoding encoding, float bound) {
  // Rounding keeps the order, so that nothing smaller comes to more.
  return encoding == Encoding::fp16 ? std::max(bound, float_from(half_from(bound))) : bound;
}

std::uint64_t encoded_bytes(Encoding encoding, std::uint64_t elements) {
  switch (encoding) {
    case Encoding::fp16:
      return elements * sizeof(std::uint16_t);
    case Encoding::int8:
      return elements + (elements + encoding_block - 1) / encoding_block * sizeof(float);
    case Encoding::fp32:
      break;
  }
  return elements * sizeof(float);
}

void encode(Encoding encoding, std::span<const float> values, Random& random, std::span<std::byte> out) {
  switch (encoding) {
    case Encoding::fp32:
      std::memcpy(out.data(), values.data(), values.size_bytes());
      break;
    case Encoding::fp16:
      encode_halves(values, out);
      break;
    case Encoding::int8:
      for_each_block(values, [&](std::span<const float> block, std::size_t at) {
        encode_block(block, random, out.data() + at);
      });
      break;
  }
}

void decode(Encoding encoding, ByteView bytes, std::span<float> values) {
  switch (encoding) {
    case Encoding::fp32:
      std::memcpy(values.data(), bytes.data(), values.size_bytes());
      break;
    case Encoding::fp16:
      decode_halves(bytes, values);
      break;
    case Encoding::int8:
      for_each_block(values,
                     [&](std::span<float> block, std::size_t at) { decode_block(bytes.data() + at, block); });
      break;
  }
}

}  // namespace fl
