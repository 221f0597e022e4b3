// Examples as a device's store holds them: their bytes are made again of what they were read as.
#include <algorithm>

#include "client/store/example_codec.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;

void fl::fuzz::try_input(ByteView input) {
  const auto tensors = unless_refused([&] { return client::decode(input); });
  if (!tensors) return;
  const Bytes again = client::encode(*tensors);
  require(std::equal(again.begin(), again.end(), input.begin(), input.end()),
          "decoded and encoded it is the same");
}
