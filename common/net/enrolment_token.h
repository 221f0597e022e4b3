#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/net/endpoint.h"

namespace fl::net {

/// What an operator hands to a new device: where the server is, whose certificate to believe, and a secret
/// that works once. One line of text: "fl1:" and base64url without padding of the fields and a checksum.
struct EnrolmentToken {
  Endpoint server;
  Digest authority_fingerprint;
  Bytes secret;  ///< 32 random bytes; the server keeps only their SHA-256.

  std::string text() const;
  /// Throws Error(invalid_argument) where the text is cut off, mistyped or no token.
  static EnrolmentToken parse(std::string_view text);
};

}  // namespace fl::net
