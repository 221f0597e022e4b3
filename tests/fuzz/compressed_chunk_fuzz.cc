// Compressed chunks: what comes out is as long as was allowed, and what we compress comes out as it was.
#include <algorithm>

#include "protocol/compression.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;

void fl::fuzz::try_input(ByteView input) {
  const std::size_t most = std::size_t{take_byte(input)} * 64;
  wire::ChunkDecompressor decompressor;
  const ByteView chunk = decompressor.decompress(input, most);
  require(chunk.size() <= most, "a chunk is no longer than allowed");

  wire::ChunkCompressor compressor;
  const ByteView compressed = compressor.compress(input);
  if (compressed.empty()) return;
  require(compressed.size() < input.size(), "a compressed chunk is smaller");
  require(std::ranges::equal(decompressor.decompress(compressed, input.size()), input),
          "a chunk comes out as it was");
}
