#include "common/data/idx_file.h"

#include <utility>

#include "common/base/bytes.h"
#include "common/base/error.h"

namespace fl {
namespace {

constexpr std::uint32_t images_magic = 0x00000803;
constexpr std::uint32_t labels_magic = 0x00000801;
constexpr std::uint32_t gzip_magic = 0x1f8b;

[[noreturn]] void refuse_magic(const std::filesystem::path& path, std::uint32_t magic) {
  std::string text = path.string() + " is no IDX file of images or labels";
  if (magic >> 16U == gzip_magic) {
    text += ": it is compressed, unpack it with gunzip first";
  } else {
    text += ": these begin with the bytes 00000803 or 00000801";
  }
  throw Error(ErrorCode::invalid_data, text);
}

// Whether the product overflows does not matter to a caller who compares it with a file's length.
std::uint64_t bytes_of(std::uint64_t count, std::uint64_t height, std::uint64_t width) {
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, height * width, &bytes)) return UINT64_MAX;
  return bytes;
}

}  // namespace

IdxFile::IdxFile(std::filesystem::path path) : file_(std::move(path)) {
  const std::uint32_t magic = read_number();
  if (magic != images_magic && magic != labels_magic) refuse_magic(this->path(), magic);
  kind_ = magic == images_magic ? Kind::images : Kind::labels;
  count_ = read_number();
  if (kind_ == Kind::images) {
    height_ = read_number();
    width_ = read_number();
  }
  const std::uint64_t header = kind_ == Kind::images ? 16 : 8;
  const std::uint64_t expected = bytes_of(count_, height_, width_);
  const std::uint64_t present = file_.size() < header ? 0 : file_.size() - header;
  if (present == expected) return;
  throw Error(ErrorCode::invalid_data, this->path().string() + " has " + std::to_string(present) +
                                           " bytes after its header, which promises " +
                                           std::to_string(count_) + " items of " + std::to_string(height_) +
                                           " × " + std::to_string(width_) + " bytes");
}

void IdxFile::read(std::span<std::byte> item) {
  if (file_.read(item) == item.size()) return;
  throw Error(ErrorCode::invalid_data,
              path().string() + " ends before the last of its " + std::to_string(count_) + " items");
}

std::uint32_t IdxFile::read_number() {
  std::array<std::byte, 4> bytes{};
  if (file_.read(bytes) != bytes.size()) {
    throw Error(ErrorCode::invalid_data, path().string() + " ends within the header of an IDX file");
  }
  std::uint32_t number = 0;
  for (const std::byte byte : bytes) number = number << 8U | std::to_integer<std::uint32_t>(byte);
  return number;
}

}  // namespace fl
