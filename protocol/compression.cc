#include "protocol/compression.h"

#include <new>
#include <zstd.h>

namespace fl::wire {
namespace {

// What comes of random signs and small integers is the same at higher ones, which take longer.
constexpr int level = 1;

}  // namespace

struct ChunkCompressor::State {
  struct Free {
    void operator()(ZSTD_CCtx* used) const { ZSTD_freeCCtx(used); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context{ZSTD_createCCtx()};
};

ChunkCompressor::ChunkCompressor() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
}

ChunkCompressor::~ChunkCompressor() = default;

std::span<const std::byte> ChunkCompressor::compress(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) return {};
  compressed_.resize(bytes.size() - 1);  // what takes more is of no use
  const std::size_t length = ZSTD_compressCCtx(state_->context.get(), compressed_.data(), compressed_.size(),
                                               bytes.data(), bytes.size(), level);
  if (ZSTD_isError(length) != 0) return {};
  return std::span(compressed_).first(length);
}

struct ChunkDecompressor::State {
  struct Free {
    void operator()(ZSTD_DCtx* used) const { ZSTD_freeDCtx(used); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context{ZSTD_createDCtx()};
};

ChunkDecompressor::ChunkDecompressor() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
}

ChunkDecompressor::~ChunkDecompressor() = default;

std::span<const std::byte> ChunkDecompressor::decompress(std::span<const std::byte> bytes, std::size_t most) {
  const unsigned long long length = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  // Unknown lengths and faults are the largest numbers of all.
  if (length == 0 || length > most) return {};
  chunk_.resize(static_cast<std::size_t>(length));
  const std::size_t written =
      ZSTD_decompressDCtx(state_->context.get(), chunk_.data(), chunk_.size(), bytes.data(), bytes.size());
  if (written != chunk_.size()) return {};  // as where it is an error's code
  return chunk_;
}

}  // namespace fl::wire
