#include "common/net/openssl.h"

#include "common/base/error.h"

namespace fl::net {

void throw_openssl(const std::string& doing) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  const std::string sentence = doing + ": " + (reason == nullptr ? "OpenSSL failed" : reason);
  ERR_clear_error();
  throw Error(ErrorCode::internal, sentence);
}

}  // namespace fl::net
