// Layouts as the server's database holds them.
#include "common/model/layout_json.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;

void fl::fuzz::try_input(ByteView input) {
  require_same_again(as_text(input), layout_from_json);
}
