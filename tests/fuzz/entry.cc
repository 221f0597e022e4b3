#include "tests/fuzz/fuzz.h"

/// What libFuzzer calls for each input.
extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): its name
    const std::uint8_t* data, std::size_t size) {
  fl::fuzz::try_input(std::as_bytes(std::span(data, size)));
  return 0;
}
