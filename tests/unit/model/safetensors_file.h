#pragma once

#include <cstdint>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace fl::test {

/// What a safetensors file says of one tensor.
struct TensorInFile {
  std::string dtype;
  std::string shape;  ///< As written, without spaces: "2,3".
  std::string data;   ///< Its bytes.
};

/// A safetensors file taken apart by regular expressions: an oracle that shares nothing with the library.
/// Knows only names without quotes and headers without escapes.
inline std::map<std::string, TensorInFile> take_apart(const std::string& file) {
  std::size_t header_size = 0;
  for (std::size_t i = 8; i-- > 0;) header_size = header_size * 256 + static_cast<unsigned char>(file.at(i));
  const std::string header = file.substr(8, header_size);
  const std::string data = file.substr(8 + header_size);
  static const std::regex tensor(
      R"x("([^"]+)":\{"dtype":"(\w+)","shape":\[([0-9,]*)\],"data_offsets":\[([0-9]+),([0-9]+)\]\})x");
  std::map<std::string, TensorInFile> tensors;
  for (std::sregex_iterator match(header.begin(), header.end(), tensor), end; match != end; ++match) {
    const std::size_t from = std::stoull((*match)[4]);
    const std::size_t to = std::stoull((*match)[5]);
    tensors[(*match)[1]] = {(*match)[2], (*match)[3], data.substr(from, to - from)};
  }
  return tensors;
}

/// A file of this header, padded by nothing, and this data.
inline Bytes put_together(const std::string& header, const std::string& data) {
  std::string file;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    file += static_cast<char>((std::uint64_t{header.size()} >> shift) & 0xffU);
  }
  file += header + data;
  const ByteView bytes = as_bytes(file);
  return {bytes.begin(), bytes.end()};
}

/// The little-endian bytes of a number.
template <typename Number>
std::string bytes_of(Number number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace fl::test
