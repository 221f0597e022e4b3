#include "server/aggregation/update_file.h"

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
  if (encoding_ == Encoding::fp32)
    return read_at(file_, first * sizeof(float), std::as_writable_bytes(values), path_);
  std::array<std::byte, piece_elements * sizeof(std::uint16_t)> bytes{};
  std::array<float, piece_elements> decoded{};
  while (!values.empty()) {
    const std::size_t skipped = first % encoding_block;
    const std::size_t count = std::min(skipped + values.size(), piece_elements);
    const auto part = std::span(bytes).first(encoded_bytes(encoding_, count));
    read_at(file_, encoded_bytes(encoding_, first - skipped), part, path_);
    decode(encoding_, part, std::span(decoded).first(count));
    std::copy(decoded.begin() + static_cast<std::ptrdiff_t>(skipped),
              decoded.begin() + static_cast<std::ptrdiff_t>(count), values.begin());
    first += count - skipped;
    values = values.subspan(count - skipped);
  }
}

Digest UpdateFile::hash() const {
  return sha256_of_file(file_, path_);
}

}  // namespace fl::server
