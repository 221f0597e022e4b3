#include "tests/unit/golden/capture.h"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <flatbuffers/idl.h>
#include <flatbuffers/util.h>

#include "common/base/files.h"
#include "protocol/message.h"

namespace fl::test {
namespace {

namespace json = boost::json;

const flatbuffers::Parser& schema() {
  static const auto parser = [] {
    flatbuffers::IDLOptions options;
    options.strict_json = true;
    options.output_default_scalars_in_json = true;
    options.indent_step = -1;
    auto made = std::make_unique<flatbuffers::Parser>(options);
    const std::filesystem::path folder = FL_SCHEMAS;
    const std::string text = read_text_file(folder / "message.fbs");
    const std::string name = folder.string();
    std::array<const char*, 2> includes = {name.c_str(), nullptr};
    if (!made->Parse(text.c_str(), includes.data(), "message.fbs")) throw std::runtime_error(made->error_);
    return made;
  }();
  return *parser;
}

bool is_bytes(const json::array& array) {
  return !array.empty() && std::all_of(array.begin(), array.end(), [](const json::value& element) {
    return element.is_number() && element.to_number<double>() >= 0 && element.to_number<double>() < 256;
  });
}

std::string readable(const json::array& array) {
  Bytes bytes;
  for (const json::value& element : array) bytes.push_back(static_cast<std::byte>(element.to_number<int>()));
  const std::string_view text = as_text(bytes);
  const bool is_text = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return is_text ? std::string(text) : to_hex(bytes);
}

void make_bytes_readable(json::value& value) {
  if (json::object* const object = value.if_object()) {
    for (auto& member : *object) make_bytes_readable(member.value());
  }
  if (json::array* const array = value.if_array(); array != nullptr && is_bytes(*array)) {
    value = readable(*array);
  }
}

}  // namespace

Capture read_capture(const std::filesystem::path& path) {
  const Bytes file = read_file(path);
  Capture capture;
  for (ByteView left = file; !left.empty();) {
    if (left.size() <= wire::frame_header_bytes) throw std::runtime_error(path.string() + " is cut off");
    const auto header = left.subspan(1, wire::frame_header_bytes);
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;) length = length * 256 + std::to_integer<std::size_t>(header[i]);
    const ByteView rest = left.subspan(1 + wire::frame_header_bytes);
    if (length > rest.size()) throw std::runtime_error(path.string() + " is cut off");
    capture.push_back({static_cast<Side>(left.front()), static_cast<wire::FrameKind>(header[4]),
                       Bytes(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(length))});
    left = rest.subspan(length);
  }
  return capture;
}

void write_capture(const std::filesystem::path& path, const Capture& capture) {
  Bytes file;
  for (const CapturedFrame& frame : capture) {
    file.push_back(static_cast<std::byte>(frame.from));
    const auto header = wire::frame_header(frame.kind, frame.payload.size());
    file.insert(file.end(), header.begin(), header.end());
    file.insert(file.end(), frame.payload.begin(), frame.payload.end());
  }
  write_file_atomically(path, file);
}

json::value meaning(const CapturedFrame& frame) {
  json::object said{{"from", frame.from == Side::device ? "device" : "server"}};
  if (frame.kind == wire::FrameKind::chunk) {
    said["chunk"] = to_hex(frame.payload);
    return said;
  }
  if (wire::verified_message(frame.payload) == nullptr) {
    throw std::runtime_error("a message does not verify");
  }
  std::string text;
  if (!flatbuffers::GenerateText(schema(), frame.payload.data(), &text)) {
    throw std::runtime_error("a message is no text");
  }
  const json::value message = json::parse(text);
  said["kind"] = message.at("body_type");
  said["body"] = message.at("body");
  json::value value = said;
  make_bytes_readable(value);
  return value;
}

std::string difference(const json::value& expected, const json::value& actual, const std::string& path) {
  const json::object* const wanted = expected.if_object();
  const json::object* const found = actual.if_object();
  if (wanted == nullptr || found == nullptr) {
    if (expected == actual) return "";
    return path + " is " + json::serialize(actual) + ", it was " + json::serialize(expected);
  }
  for (const auto& member : *wanted) {
    const std::string key = path + "/" + std::string(member.key());
    const json::value* const there = found->if_contains(member.key());
    if (there == nullptr) return key + " is missing";
    if (std::string first = difference(member.value(), *there, key); !first.empty()) return first;
  }
  return "";
}

}  // namespace fl::test
