#include "server/fleet/update_file.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <string>
#include <utility>

#include "common/base/error.h"

namespace fl::server {
namespace {

// Decoded at a time: what the bytes of fits the stack.
constexpr std::size_t piece_elements = 4 * encoding_block;

}  // namespace

UpdateFile::UpdateFile(std::filesystem::path path, Encoding encoding, std::size_t elements)
    : path_(std::move(path)), encoding_(encoding), elements_(elements), file_(open_file(path_, O_RDONLY)) {
  if (std::filesystem::file_size(path_) == encoded_bytes(encoding_, elements_)) return;
  throw Error(ErrorCode::invalid_data, path_.string() + " does not hold the " + std::to_string(elements_) +
                                           " elements of the model as " + std::string(name(encoding_)));
}

void UpdateFile::read(std::size_t first, std::span<float> values) const {
  const std::uint64_t offset = encoded_bytes(encoding_, first);
  if (encoding_ == Encoding::fp32) return read_at(file_, offset, std::as_writable_bytes(values), path_);
  std::array<std::byte, piece_elements * sizeof(std::uint16_t)> bytes;
  for (std::uint64_t at = offset; !values.empty();) {
    const auto piece = values.first(std::min(values.size(), piece_elements));
    const auto part = std::span(bytes).first(encoded_bytes(encoding_, piece.size()));
    read_at(file_, at, part, path_);
    decode(encoding_, part, piece);
    at += part.size();
    values = values.subspan(piece.size());
  }
}

Digest UpdateFile::hash() const {
  return sha256_of_file(file_, path_);
}

}  // namespace fl::server
