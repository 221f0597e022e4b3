#include "common/model/layout_json.h"

#include <doctest/doctest.h>

#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::test;

TEST_CASE("a layout reads back from its JSON text") {
  Layout layout;
  layout.add("conv.weight", Datatype::fp16, {4, 2, 3}, Role::trained);
  layout.add("scale", Datatype::fp32, {}, Role::personal);
  layout.add("running_mean", Datatype::fp64, {4}, Role::buffer);
  const Layout again = layout_from_json(to_json(layout));
  CHECK(again.hash() == layout.hash());
  CHECK(again.size() == layout.size());
  CHECK(again.entries()[2].offset == layout.entries()[2].offset);
  CHECK(layout_from_json(to_json(Layout())).size() == 0);
}

TEST_CASE("text that is no layout is refused with the key (I9)") {
  for (const char* text :
       {"", "[]", "{}", R"({"tensors":1})", R"({"tensors":[{"name":"a"}]})",
        R"({"tensors":[{"name":"a","type":"FP32","shape":[1],"role":"other"}]})",
        R"({"tensors":[{"name":"a","type":"FP99","shape":[1],"role":"trained"}]})",
        R"({"tensors":[{"name":"a","type":"FP32","shape":[-1],"role":"trained"}]})",
        R"({"tensors":[{"name":"a","type":"FP32","shape":[1],"role":"trained","more":1}]})",
        R"({"tensors":[],"more":1})"}) {
    INFO(text);
    CHECK(code_of([&] { layout_from_json(text); }) == ErrorCode::invalid_data);
  }
}
