// Safetensors files: weights that are read and written are read as the same bits again.
#include <cstring>

#include "common/model/safetensors.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;

namespace {

Layout layout_of_target() {
  Layout layout;
  layout.add("w", Datatype::fp32, {2, 3}, Role::trained);
  layout.add("b", Datatype::fp32, {2}, Role::trained);
  layout.add("n", Datatype::int64, {}, Role::buffer);
  return layout;
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  static const Layout layout = layout_of_target();
  const auto weights = unless_refused([&] { return from_safetensors(input, layout); });
  if (!weights) return;
  require(weights->size() == layout.size(), "the weights are the layout's");
  const Weights again = from_safetensors(to_safetensors(layout, *weights), layout);
  require(std::memcmp(again.data(), weights->data(), again.size() * sizeof(float)) == 0,
          "what was written is read as the same");
}
