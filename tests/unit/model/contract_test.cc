#include "common/model/contract.h"

#include <doctest/doctest.h>

#include "tests/unit/model/refusal.h"
#include "tests/unit/model/sample_contract.h"

using namespace fl;
using test::contains;
using test::refusal;
using test::table_contract;
using test::windows_contract;

namespace {

/// What validate() says of the contract with one thing changed.
template <typename Change>
std::string refused(TaskContract contract, Change change) {
  change(contract);
  return refusal(ErrorCode::invalid_argument, [&] { contract.validate(); });
}

std::vector<std::string> numbered(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

TEST_CASE("losses and data formats go by name and unknown ones are refused with the known (I9)") {
  for (const Loss each : {Loss::cross_entropy, Loss::mse, Loss::bce_with_logits, Loss::own}) {
    CHECK(loss_from_name(name(each)) == each);
  }
  for (const DataFormat each :
       {DataFormat::windows, DataFormat::table, DataFormat::images, DataFormat::text}) {
    CHECK(data_format_from_name(name(each)) == each);
  }
  CHECK(refusal(ErrorCode::invalid_argument, [] { loss_from_name("l2"); }) ==
        "there is no loss 'l2', the known ones are cross_entropy, mse, bce_with_logits, own");
  CHECK(
      contains(refusal(ErrorCode::invalid_argument, [] { data_format_from_name("csv"); }), "windows, table"));
}

TEST_CASE("inputs and outputs must be there and named apart (I9)") {
  const TaskContract good = table_contract();
  CHECK(contains(refused(good, [](auto& c) { c.inputs.clear(); }), "there are 0 inputs"));
  CHECK(contains(refused(good, [](auto& c) { c.outputs.clear(); }), "there are 0 outputs"));
  CHECK(contains(refused(good, [](auto& c) { c.inputs.resize(65, c.inputs[0]); }), "65 inputs"));
  CHECK(contains(refused(good, [](auto& c) { c.inputs[0].name.clear(); }), "is empty"));
  CHECK(
      contains(refused(good, [](auto& c) { c.inputs[0].name = std::string("a\tb"); }), "control character"));
  CHECK(contains(refused(good, [](auto& c) { c.inputs[0].name = std::string(257, 'a'); }), "256 bytes"));
  CHECK(
      contains(refused(good, [](auto& c) { c.outputs.push_back(c.outputs[0]); }), "'price' is there twice"));
}

TEST_CASE("shapes must begin with the batch and be of a size that can be (I8)") {
  const auto with_shape = [](const Shape& shape) {
    return refused(table_contract(), [&](auto& c) { c.outputs[0].shape = shape; });
  };
  CHECK(contains(with_shape({}), "the output 'price' has the shape []"));
  CHECK(contains(with_shape({1, 2}), "the batch, must be -1"));
  CHECK(contains(with_shape({-1, 0}), "[-1, 0]"));
  CHECK(contains(with_shape({-1, -2}), "[-1, -2]"));
  CHECK(contains(with_shape({-1, std::int64_t{1} << 29U}), "at most 268435456"));
  CHECK(contains(with_shape({-1, 1 << 20, 1 << 20, 1 << 20, 1 << 20}), "at most 268435456"));
  CHECK(contains(with_shape(Shape(17, -1)), "1 to 16 dimensions"));
  TaskContract any_size = table_contract();
  any_size.outputs[0].shape = {-1, -1, std::int64_t{1} << 28U};
  CHECK_NOTHROW(any_size.validate());
}

TEST_CASE("cross_entropy needs a label for each class (I9)") {
  const TaskContract good = windows_contract();
  CHECK_NOTHROW(good.validate());
  CHECK(contains(refused(good, [](auto& c) { c.labels.clear(); }), "at least 2 labels, there are none"));
  CHECK(contains(refused(good, [](auto& c) { c.labels = {"a"}; }), "at least 2 labels, there is 1"));
  CHECK(refused(good, [](auto& c) { c.labels = {"a", "b", "c"}; }) ==
        "the output 'activity' has the shape [-1, 2], with the loss cross_entropy and 3 labels its last "
        "dimension must be 3");
  CHECK(contains(refused(good, [](auto& c) { c.labels = {"a", "a"}; }), "'a' is there twice"));
  CHECK(contains(refused(good, [](auto& c) { c.labels = {"a", ""}; }), "is empty"));
  CHECK(contains(refused(good, [](auto& c) { c.labels = {"a", "\xff"}; }), "UTF-8"));
  CHECK(contains(refused(good, [](auto& c) { c.outputs[0].shape = {-1}; }), "[-1]"));
  CHECK(contains(refused(good, [](auto& c) { c.outputs[0].datatype = Datatype::fp64; }), "must be FP32"));
  CHECK(contains(refused(good, [](auto& c) { c.labels = numbered(4097); }), "at most 4096"));
}

TEST_CASE("as many labels as are allowed are allowed") {
  TaskContract contract = windows_contract();
  contract.labels = numbered(4096);
  contract.outputs[0].shape = {-1, 4096};
  CHECK_NOTHROW(contract.validate());
}

TEST_CASE("mse takes no labels (I9)") {
  const TaskContract good = table_contract();
  CHECK_NOTHROW(good.validate());
  CHECK(contains(refused(good, [](auto& c) { c.labels = {"a", "b"}; }), "there are 2 labels"));
}

TEST_CASE("bce_with_logits takes no labels or those of its answers (I9)") {
  TaskContract contract = table_contract();
  contract.loss = Loss::bce_with_logits;
  const auto valid_with = [&](std::size_t labels, const Shape& shape) {
    contract.labels = numbered(labels);
    contract.outputs[0].shape = shape;
    try {
      contract.validate();
      return true;
    } catch (const Error& error) {
      CHECK(contains(error.what(), "bce_with_logits"));
      return false;
    }
  };
  CHECK(valid_with(0, {-1}));
  CHECK(valid_with(0, {-1, 1}));
  CHECK(valid_with(0, {-1, 5}));
  CHECK(valid_with(0, {-1, -1}));
  CHECK(valid_with(2, {-1, 1}));
  CHECK(valid_with(2, {-1}));
  CHECK(valid_with(2, {-1, 2}));
  CHECK(valid_with(5, {-1, 5}));
  CHECK_FALSE(valid_with(1, {-1, 1}));
  CHECK_FALSE(valid_with(2, {-1, 5}));
  CHECK_FALSE(valid_with(6, {-1, 5}));
  CHECK_FALSE(valid_with(1, {-1, -1}));
}

TEST_CASE("of the archive's own loss nothing is asked but names and shapes") {
  TaskContract contract = table_contract();
  contract.loss = Loss::own;
  contract.labels = {"whatever"};
  contract.outputs[0] = {"state", Datatype::int64, {-1, 3, 3}};
  CHECK_NOTHROW(contract.validate());
  contract.outputs[0].shape = {3};
  CHECK_THROWS_AS(contract.validate(), Error);
}

TEST_CASE("a model of several inputs is fed by the app and its data is not looked at") {
  TaskContract contract = table_contract();
  contract.inputs.push_back({"history", Datatype::fp32, {-1, 7, -1}});
  contract.data = DataContract();
  CHECK_NOTHROW(contract.validate());
  CHECK(contains(refused(contract, [](auto& c) { c.inputs[1].name = std::string("features"); }), "twice"));
}
