#include "protocol/compression.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <doctest/doctest.h>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "protocol/limits.h"

using namespace fl;

namespace {

/// As int8 updates are: most of them near zero.
Bytes small_integers(std::size_t count) {
  Random random(7);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(4) + random.below(4));
  return bytes;
}

Bytes compressed(ByteView bytes) {
  wire::ChunkCompressor compressor;
  const ByteView result = compressor.compress(bytes);
  return {result.begin(), result.end()};
}

bool is_refused(ByteView bytes, std::size_t most = limits::chunk_bytes) {
  return wire::ChunkDecompressor().decompress(bytes, most).empty();
}

}  // namespace

TEST_CASE("chunks that were compressed one after the other come out as they were") {
  wire::ChunkCompressor compressor;
  wire::ChunkDecompressor decompressor;
  for (const std::size_t length : {std::size_t{100}, limits::sent_chunk_bytes, limits::chunk_bytes}) {
    const Bytes bytes = small_integers(length);
    const ByteView small = compressor.compress(bytes);
    REQUIRE_FALSE(small.empty());
    CHECK(small.size() < bytes.size() * 6 / 10);  // eight values of which the rarest take four bits
    CHECK(std::ranges::equal(decompressor.decompress(small, length), bytes));
  }
}

TEST_CASE("a chunk that does not get smaller is not compressed") {
  Random random(7);
  Bytes bytes(10'000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  CHECK(compressed(bytes).empty());
  CHECK(compressed(ByteView(bytes).first(1)).empty());
  CHECK(compressed({}).empty());
}

TEST_CASE("what is no compressed chunk is refused (I8)") {
  const Bytes bytes = small_integers(5000);
  const Bytes good = compressed(bytes);
  CHECK_FALSE(is_refused(good));
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK(is_refused(ByteView(good).first(length)));
  CHECK(is_refused(bytes));
  Bytes changed = good;
  changed[0] ^= std::byte{1};
  CHECK(is_refused(changed));
}

TEST_CASE("a compressed chunk of more than is allowed is refused (I8)") {
  const Bytes zeros(limits::chunk_bytes);
  const Bytes bomb = compressed(zeros);
  CHECK(bomb.size() < 200);
  CHECK_FALSE(is_refused(bomb));
  CHECK(is_refused(bomb, zeros.size() - 1));
  Bytes two = bomb;  // of which only the first says how long it is
  two.insert(two.end(), bomb.begin(), bomb.end());
  CHECK(is_refused(two));
}

TEST_CASE("a compressed chunk that says another length than it has is refused (I8)") {
  Bytes bytes = compressed(small_integers(300));
  // Zstandard's header: four bytes of magic number, one that says how it goes on, then the length less 256.
  REQUIRE(bytes[4] == std::byte{0x60});
  bytes[5] = std::byte{45};
  CHECK(is_refused(bytes));
  bytes[5] = std::byte{44};
  CHECK_FALSE(is_refused(bytes));
  bytes[5] = std::byte{43};
  CHECK(is_refused(bytes));
}
