// Plans as the server's database and a device's folder hold them.
#include "common/model/plan.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;

void fl::fuzz::try_input(ByteView input) {
  const std::string_view text = as_text(input);
  require_same_again(text, plan_from_json);
  unless_refused([&] {
    plan_from_json(text).validate();
    return true;
  });
}
