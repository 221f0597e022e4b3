#include "common/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "common/base/error.h"
#include "common/model/json_reader.h"
#include "common/model/limits.h"
#include "common/model/names.h"

namespace fl {
namespace {

constexpr std::size_t length_bytes = 8;
constexpr std::string_view metadata_key = "__metadata__";

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_data, sentence);
}

std::uint64_t bytes_of(const LayoutEntry& entry) {
  return std::uint64_t{entry.count} * sizeof(float);
}

boost::json::object header_of(const Layout& layout) {
  boost::json::object header{{metadata_key, {{"format", "pt"}}}};
  std::uint64_t begin = 0;
  for (const LayoutEntry& entry : layout.entries()) {
    if (entry.name == metadata_key) {
      throw Error(ErrorCode::invalid_argument,
                  "a tensor named " + entry.name + " cannot be written as safetensors, the name is taken");
    }
    const std::uint64_t end = begin + bytes_of(entry);
    header[entry.name] = {{"dtype", "F32"},
                          {"shape", boost::json::array(entry.shape.begin(), entry.shape.end())},
                          {"data_offsets", {begin, end}}};
    begin = end;
  }
  return header;
}

/// Where a tensor of a file lies, and how it is stored.
struct Stored {
  std::string name;
  std::string dtype;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::size_t element_size(const Stored& stored) {
  if (stored.dtype == "F32") return 4;
  if (stored.dtype == "F16" || stored.dtype == "BF16") return 2;
  if (stored.dtype == "F64") return 8;
  refuse("the tensor " + in_quotes(stored.name) + " has the dtype " + in_quotes(stored.dtype) +
         ", the known ones are F32, F16, BF16, F64");
}

std::string_view header_text(ByteView file) {
  if (file.size() < length_bytes) {
    refuse("a safetensors file begins with 8 bytes of header length, this one has " +
           std::to_string(file.size()) + " in all");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), length_bytes);
  if (length > model_limits::safetensors_header_bytes || length > file.size() - length_bytes) {
    refuse("the safetensors header should have " + std::to_string(length) +
           " bytes, more than the file or than " + std::to_string(model_limits::safetensors_header_bytes));
  }
  const std::string_view text = as_text(file.subspan(length_bytes, length));
  if (text.empty() || text.front() != '{') refuse("the safetensors header does not begin with '{'");
  return text;
}

Stored read_stored(const boost::json::value& value, std::string name) {
  Stored stored;
  std::vector<std::uint64_t> offsets;
  json::ObjectReader object(value, name);
  stored.name = std::move(name);
  object.required("dtype", stored.dtype);
  object.required("shape", stored.shape);
  object.required("data_offsets", offsets);
  object.finish();
  if (offsets.size() != 2) {
    refuse("the tensor " + in_quotes(stored.name) + " has " + std::to_string(offsets.size()) +
           " data_offsets, there must be two");
  }
  stored.begin = offsets[0];
  stored.end = offsets[1];
  return stored;
}

void check_extent(const Stored& stored, std::uint64_t data_bytes) {
  if (stored.begin > stored.end || stored.end > data_bytes) {
    refuse("the tensor " + in_quotes(stored.name) + " lies from byte " + std::to_string(stored.begin) +
           " to " + std::to_string(stored.end) + ", outside the file's " + std::to_string(data_bytes) +
           " bytes of data");
  }
  const std::uint64_t bytes = stored.end - stored.begin;
  const std::size_t size = element_size(stored);
  if (bytes % size != 0 || bytes / size != element_count(stored.shape)) {
    refuse("the tensor " + in_quotes(stored.name) + " has " + std::to_string(bytes) + " bytes, " +
           stored.dtype + " " + describe(stored.shape) + " takes another number");
  }
}

/// The tensors must follow one another from the data's first byte to its last.
void check_contiguous(std::vector<Stored>& tensors, std::uint64_t data_bytes) {
  std::sort(tensors.begin(), tensors.end(), [](const Stored& a, const Stored& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t expected = 0;
  for (const Stored& stored : tensors) {
    if (stored.begin != expected) {
      refuse("the tensor " + in_quotes(stored.name) + " " +
             (stored.begin < expected ? "overlaps the one before it" : "leaves a gap before it"));
    }
    expected = stored.end;
  }
  if (expected != data_bytes) {
    refuse("the file has " + std::to_string(data_bytes) + " bytes of data, its tensors take " +
           std::to_string(expected));
  }
}

void check_metadata(const boost::json::value& value) {
  const boost::json::object* const metadata = value.if_object();
  if (metadata == nullptr) refuse("the safetensors " + std::string(metadata_key) + " is no object");
  for (const auto& member : *metadata) {
    if (member.value().is_string()) continue;
    refuse("the safetensors " + std::string(metadata_key) + " has the key " +
           in_quotes(std::string(member.key())) + " whose value is no string");
  }
}

std::vector<Stored> read_header(std::string_view text, std::uint64_t data_bytes) {
  const boost::json::value header =
      json::parse(text, "the safetensors header", model_limits::safetensors_header_bytes);
  std::vector<Stored> tensors;
  for (const auto& member : header.get_object()) {
    std::string name(member.key());
    if (name == metadata_key) {
      check_metadata(member.value());
      continue;
    }
    tensors.push_back(read_stored(member.value(), std::move(name)));
    check_extent(tensors.back(), data_bytes);
  }
  check_contiguous(tensors, data_bytes);
  return tensors;
}

float from_half(std::uint16_t bits) {
  const float sign = (bits & 0x8000U) != 0 ? -1.0F : 1.0F;
  const int exponent = (bits >> 10U) & 0x1f;
  const auto fraction = static_cast<float>(bits & 0x3ffU);
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  if (exponent < 31) return sign * std::ldexp(fraction + 1024.0F, exponent - 25);
  if (fraction == 0.0F) return sign * std::numeric_limits<float>::infinity();
  return std::numeric_limits<float>::quiet_NaN();
}

float from_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

float from_double(double value, const std::string& name) {
  if (std::isfinite(value) && std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
    refuse("the tensor " + in_quotes(name) + " holds " + std::to_string(value) + ", more than fp32 can");
  }
  return static_cast<float>(value);
}

template <typename Element, typename Convert>
void convert(ByteView from, std::span<float> to, Convert convert_one) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    Element value{};
    std::memcpy(&value, from.data() + i * sizeof(Element), sizeof(Element));
    to[i] = convert_one(value);
  }
}

void copy_tensor(const Stored& stored, ByteView from, std::span<float> to) {
  if (to.empty()) return;
  if (stored.dtype == "F32") std::memcpy(to.data(), from.data(), from.size());
  if (stored.dtype == "F16") convert<std::uint16_t>(from, to, from_half);
  if (stored.dtype == "BF16") convert<std::uint16_t>(from, to, from_bfloat);
  if (stored.dtype == "F64") {
    convert<double>(from, to, [&](double value) { return from_double(value, stored.name); });
  }
}

const Stored& find_stored(const std::unordered_map<std::string_view, const Stored*>& by_name,
                          const LayoutEntry& entry) {
  const auto found = by_name.find(entry.name);
  if (found == by_name.end()) refuse("the tensor " + in_quotes(entry.name) + " is missing from the file");
  if (found->second->shape != entry.shape) {
    refuse("the tensor " + in_quotes(entry.name) + " has the shape " + describe(found->second->shape) +
           " in the file, the model's is " + describe(entry.shape));
  }
  return *found->second;
}

void refuse_unknown(const std::vector<Stored>& tensors, const Layout& layout) {
  std::unordered_map<std::string_view, bool> known;
  for (const LayoutEntry& entry : layout.entries()) known[entry.name] = true;
  for (const Stored& stored : tensors) {
    if (!known.contains(stored.name)) refuse("the model has no tensor " + in_quotes(stored.name));
  }
}

}  // namespace

Bytes to_safetensors(const Layout& layout, std::span<const float> weights) {
  if (weights.size() != layout.size()) {
    throw Error(ErrorCode::invalid_argument, "there are " + std::to_string(weights.size()) +
                                                 " weights, the layout has " + std::to_string(layout.size()));
  }
  std::string header = boost::json::serialize(header_of(layout));
  header.resize((header.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');
  const std::uint64_t length = header.size();
  Bytes file(length_bytes + header.size() + weights.size_bytes());
  std::memcpy(file.data(), &length, length_bytes);
  std::memcpy(file.data() + length_bytes, header.data(), header.size());
  if (!weights.empty()) {
    std::memcpy(file.data() + length_bytes + header.size(), weights.data(), weights.size_bytes());
  }
  return file;
}

Weights from_safetensors(ByteView file, const Layout& layout) {
  const std::string_view text = header_text(file);
  const ByteView data = file.subspan(length_bytes + text.size());
  const std::vector<Stored> tensors = read_header(text, data.size());
  refuse_unknown(tensors, layout);
  std::unordered_map<std::string_view, const Stored*> by_name;
  for (const Stored& stored : tensors) by_name[stored.name] = &stored;
  Weights weights(layout.size());
  for (const LayoutEntry& entry : layout.entries()) {
    const Stored& stored = find_stored(by_name, entry);
    copy_tensor(stored, data.subspan(stored.begin, stored.end - stored.begin),
                std::span(weights).subspan(entry.offset, entry.count));
  }
  return weights;
}

}  // namespace fl
