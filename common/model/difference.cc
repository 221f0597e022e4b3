#include "common/model/difference.h"

#include <algorithm>
#include <array>

namespace fl {

std::uint64_t difference_bytes(Encoding encoding, std::uint64_t encoded, std::uint64_t elements) {
  return encoded_bytes(encoding, encoded) + (elements - encoded) * sizeof(float);
}

void add_decoded(Encoding encoding, ByteView bytes, std::span<float> weights) {
  std::array<float, encoding_block> block{};
  while (!weights.empty()) {
    const auto decoded = std::span(block).first(std::min(weights.size(), block.size()));
    const std::size_t length = encoded_bytes(encoding, decoded.size());
    decode(encoding, bytes.first(length), decoded);
    for (std::size_t i = 0; i < decoded.size(); ++i) weights[i] += decoded[i];
    bytes = bytes.subspan(length);
    weights = weights.subspan(decoded.size());
  }
}

}  // namespace fl
