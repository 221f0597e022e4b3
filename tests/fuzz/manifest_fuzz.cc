// Manifests, and the contracts in them: what is read and written is read as the same again.
#include "common/model/manifest.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;

void fl::fuzz::try_input(ByteView input) {
  const std::string_view text = as_text(input);
  require_same_again(text, manifest_from_json);
  require_same_again(text, task_contract_from_json);
  unless_refused([&] {
    manifest_from_json(text).validate();
    return true;
  });
}
