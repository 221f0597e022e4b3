#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/data/input_file.h"

namespace fl {

/// An IDX file of bytes as MNIST's are: big-endian magic number, dimensions, then the elements row by row.
/// Images have the magic number 0x00000803 and the dimensions count, height and width; labels 0x00000801 and
/// count. Read item by item. One thread at a time.
class IdxFile {
 public:
  enum class Kind : std::uint8_t { images, labels };

  /// Reads the header. Throws Error as InputFile does; Error(invalid_data) naming the file where it is of
  /// neither kind, or its length is not what the header says.
  explicit IdxFile(std::filesystem::path path);

  Kind kind() const { return kind_; }
  std::uint32_t count() const { return count_; }
  /// Of images; 1 for labels.
  std::uint32_t height() const { return height_; }
  std::uint32_t width() const { return width_; }
  const std::filesystem::path& path() const { return file_.path(); }

  /// Reads the next item, one of count(), of height() × width() bytes. Throws Error(invalid_data) where the
  /// file has become shorter since it was opened.
  void read(std::span<std::byte> item);

 private:
  std::uint32_t read_number();

  InputFile file_;
  Kind kind_ = Kind::images;
  std::uint32_t count_ = 0;
  std::uint32_t height_ = 1;
  std::uint32_t width_ = 1;
};

}  // namespace fl
