// Addresses as operators write them.
#include <algorithm>

#include "common/net/endpoint.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;
using net::Endpoint;

void fl::fuzz::try_input(ByteView input) {
  const std::string_view text = as_text(input);
  const auto endpoint = unless_refused([&] { return Endpoint::parse(text); });
  if (!endpoint) return;
  const Endpoint again = Endpoint::parse(endpoint->text());
  require(again.host == endpoint->host && again.port == endpoint->port,
          "what was written is read as the same");
  const auto is_printable = [](char character) { return character > ' ' && character <= '~'; };
  require(std::all_of(endpoint->host.begin(), endpoint->host.end(), is_printable), "a host is readable");
}
