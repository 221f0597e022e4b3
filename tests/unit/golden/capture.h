#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "common/base/bytes.h"
#include "protocol/frame.h"

namespace fl::test {

enum class Side : char { device = 'd', server = 's' };

/// One frame of a conversation, as it was sent.
struct CapturedFrame {
  Side from;
  wire::FrameKind kind;
  Bytes payload;
};

/// A conversation on one connection without its TLS, in the order of its frames.
using Capture = std::vector<CapturedFrame>;

/// A capture in a file: of each frame the letter of its side, then the frame with its header. Throws
/// std::runtime_error where it is cut off.
Capture read_capture(const std::filesystem::path& path);
void write_capture(const std::filesystem::path& path, const Capture& capture);

/// What a frame says as the schemas in protocol/schemas have it, every field by its name, those that were
/// left out with their defaults; bytes as text where they are text, else in hexadecimal. A chunk is its
/// bytes. Throws std::runtime_error where the frame does not verify.
boost::json::value meaning(const CapturedFrame& frame);

/// The first place in which `actual` lacks something of `expected` or has another value; empty: none. What
/// `actual` has besides does not count: a field that a schema has gained breaks nobody.
std::string difference(const boost::json::value& expected, const boost::json::value& actual,
                       const std::string& path = "");

}  // namespace fl::test
