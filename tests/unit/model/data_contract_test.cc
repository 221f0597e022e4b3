#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "common/model/contract.h"
#include "tests/unit/model/refusal.h"
#include "tests/unit/model/sample_contract.h"

using namespace fl;
using namespace fl::test;

namespace {

/// What validate() says of the contract with its data changed.
template <typename Change>
std::string refused(TaskContract contract, Change change) {
  change(contract.data);
  return refusal(ErrorCode::invalid_argument, [&] { contract.validate(); });
}

}  // namespace

TEST_CASE("each data format fits the input it gives") {
  CHECK_NOTHROW(windows_contract().validate());
  CHECK_NOTHROW(table_contract().validate());
  CHECK_NOTHROW(images_contract().validate());
  CHECK_NOTHROW(text_contract().validate());
}

TEST_CASE("an input that does not fit the data is refused with what would fit (I9)") {
  TaskContract contract = windows_contract();
  contract.inputs[0].shape = {-1, 50, 3};
  CHECK(refusal(ErrorCode::invalid_argument, [&] { contract.validate(); }) ==
        "the input 'motion' is FP32 [-1, 50, 3], the data of the format windows gives FP32 [-1, 3, 50]");
  contract.inputs[0] = {"motion", Datatype::fp64, {-1, 3, 50}};
  CHECK(contains(refusal(ErrorCode::invalid_argument, [&] { contract.validate(); }), "FP64 [-1, 3, 50]"));

  CHECK(contains(refused(table_contract(), [](auto& data) { data.columns.pop_back(); }), "FP32 [-1, 1]"));
  CHECK(contains(refused(images_contract(), [](auto& data) { data.width = 28; }), "[-1, 1, 28, 28]"));
  CHECK(contains(refused(text_contract(), [](auto& data) { data.length = 1; }), "INT64 [-1, 1]"));
}

TEST_CASE("columns must be there and named apart (I9)") {
  const TaskContract good = windows_contract();
  CHECK(contains(refused(good, [](auto& data) { data.columns.clear(); }), "0 columns"));
  CHECK(
      contains(refused(good, [](auto& data) { data.columns[2] = std::string("x"); }), "'x' is there twice"));
  CHECK(contains(refused(good, [](auto& data) { data.columns[2].clear(); }), "is empty"));
  CHECK(contains(refused(good, [](auto& data) { data.label.clear(); }), "label column '' is empty"));
  CHECK(contains(refused(good, [](auto& data) { data.label = std::string("y"); }),
                 "'y' is one of its columns"));
}

TEST_CASE("a scale has a finite factor for each column or is left out (I9)") {
  const TaskContract good = windows_contract();
  CHECK(contains(refused(good, [](auto& data) { data.scale.pop_back(); }), "2 factors for 3 columns"));
  CHECK(contains(refused(good, [](auto& data) { data.scale[1] = std::nan(""); }), "'y' is nan"));
  CHECK(contains(refused(good, [](auto& data) { data.scale[0] = std::numeric_limits<double>::infinity(); }),
                 "'x' is inf"));
  CHECK(contains(refused(good, [](auto& data) { data.scale[2] = 0; }), "from 1e-30 to 1e+30"));
  CHECK(contains(refused(good, [](auto& data) { data.scale[2] = 1e-46; }), "'z' is 1e-46"));
  CHECK(contains(refused(good, [](auto& data) { data.scale[2] = -1e38; }), "'z' is -1e+38"));
  TaskContract contract = good;
  contract.data.scale.clear();
  CHECK_NOTHROW(contract.validate());
}

TEST_CASE("sizes of the data must be positive (I9)") {
  CHECK(refused(windows_contract(), [](auto& data) { data.window = 0; }) ==
        "the data's window is 0, it must be from 1 to 268435456");
  CHECK(contains(refused(windows_contract(), [](auto& data) { data.step = -3; }), "step is -3"));
  CHECK(contains(refused(images_contract(), [](auto& data) { data.height = 0; }), "height is 0"));
  CHECK(contains(refused(images_contract(), [](auto& data) { data.width = -1; }), "width is -1"));
  CHECK(contains(refused(text_contract(), [](auto& data) { data.length = 0; }), "length is 0"));
}

TEST_CASE("an alphabet is ASCII with no character twice and a label for each (I9)") {
  const TaskContract good = text_contract();
  CHECK(contains(refused(good, [](auto& data) { data.alphabet.clear(); }), "alphabet is empty"));
  CHECK(contains(refused(good, [](auto& data) { data.alphabet = std::string("abca"); }), "'a' (97) twice"));
  CHECK(contains(refused(good, [](auto& data) { data.alphabet = std::string("ab\xc3\xa9"); }), "not ASCII"));
  CHECK(contains(refused(good, [](auto& data) { data.alphabet = std::string("abcde"); }),
                 "4 labels for an alphabet of 5"));
  TaskContract contract = good;
  contract.loss = Loss::bce_with_logits;
  CHECK(contains(refusal(ErrorCode::invalid_argument, [&] { contract.validate(); }), "cross_entropy or own"));
}

TEST_CASE("fields of another data format are refused (I9)") {
  CHECK(refused(table_contract(), [](auto& data) { data.window = 50; }) ==
        "the data has a window, data of the format table takes none: leave it out");
  CHECK(contains(refused(windows_contract(), [](auto& data) { data.alphabet = std::string("ab"); }),
                 "alphabet"));
  CHECK(contains(refused(images_contract(), [](auto& data) { data.columns = {"x"}; }), "columns"));
  CHECK(contains(refused(text_contract(), [](auto& data) { data.height = 2; }), "height"));
}
