#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

/// Compressed chunks: each the bytes of one chunk as one frame of Zstandard (RFC 8878) that says how long
/// they are. Pure.
namespace fl::wire {

/// Compresses one chunk after the other. One thread at a time.
class ChunkCompressor {
 public:
  ChunkCompressor();
  ChunkCompressor(const ChunkCompressor&) = delete;
  ChunkCompressor& operator=(const ChunkCompressor&) = delete;
  ~ChunkCompressor();

  /// The compressed chunk, valid until the next call; empty where it would not be smaller than `bytes`.
  std::span<const std::byte> compress(std::span<const std::byte> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::byte> compressed_;
};

/// Its inverse, for what comes from a stranger. One thread at a time.
class ChunkDecompressor {
 public:
  ChunkDecompressor();
  ChunkDecompressor(const ChunkDecompressor&) = delete;
  ChunkDecompressor& operator=(const ChunkDecompressor&) = delete;
  ~ChunkDecompressor();

  /// The chunk, valid until the next call. Empty where `bytes` are no compressed chunk, or are one of more
  /// than `most` bytes, for which no memory is taken.
  std::span<const std::byte> decompress(std::span<const std::byte> bytes, std::size_t most);

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::byte> chunk_;
};

}  // namespace fl::wire
