// Enrolment tokens: each has one text.
#include "common/base/digest.h"
#include "common/net/enrolment_token.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;
using net::EnrolmentToken;

namespace {

/// A token whose checksum is right, which no fuzzer would guess, of the input's bytes: a secret, a port and a
/// host.
void try_content(ByteView content) {
  constexpr std::size_t secret_bytes = 32;
  EnrolmentToken token;
  token.secret.assign(secret_bytes, std::byte{7});
  token.server.port = take_byte(content);
  token.server.host = as_text(content);
  const std::string text = token.text();
  const auto parsed = unless_refused([&] { return EnrolmentToken::parse(text); });
  if (parsed) require(parsed->text() == text, "what was written is read as the same");
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  const std::string_view text = as_text(input);
  const auto token = unless_refused([&] { return EnrolmentToken::parse(text); });
  if (token) require(text.find(token->text()) != std::string_view::npos, "a token has one text");
  try_content(input);
}
