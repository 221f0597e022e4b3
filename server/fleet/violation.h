#pragma once

#include <string>

#include "common/base/error.h"
#include "protocol/message.h"

namespace fl::server {

/// What a peer did that ends its connection, and the code under which it is told.
class Violation : public Error {
 public:
  Violation(wire::RefusalCode code, const std::string& sentence)
      : Violation(code, sentence, wire::EnumNameRefusalCode(code)) {}
  Violation(wire::RefusalCode code, const std::string& sentence, const char* its_reason)
      : Error(ErrorCode::protocol, sentence), refusal(code), reason(its_reason) {}
  wire::RefusalCode refusal;
  const char* reason;  // as the metrics name it
};

}  // namespace fl::server
