#pragma once

#include <cstdint>
#include <string>

#include "tests/support/http_client.h"

namespace fl::test {

/// A door under test: its port, what each request must carry to be let in, and the only model behind it,
/// "har" in version `version`: the input x, FP32 [-1, 2], the output y, FP32 [-1, 3], of which the first is
/// the first value of x and the others are 0; the labels c0, c1, c2.
struct DoorUnderTest {
  std::uint16_t port = 0;
  HttpClient::Fields fields;
  std::string server_name;
  std::uint64_t version = 0;
  std::string route;
  std::shared_ptr<ssl_ctx_st> tls = {};  ///< How it is spoken to; null: without encryption.
};

/// Holds a door against the Open Inference Protocol v2: each place, field, datatype, error and abuse, in
/// subcases of the test that calls.
void check_conformance(const DoorUnderTest& door);

}  // namespace fl::test
