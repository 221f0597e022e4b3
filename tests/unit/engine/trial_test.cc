// What opening an archive finds out by running it.

#include <algorithm>
#include <limits>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/engine/python_archives.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

std::string refusal_to_open(const PythonArchives& archives, const std::string& name,
                            const TaskContract& contract) {
  try {
    engine().open(archives.archive(name), contract);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_data);
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("a model that takes a batch of one for none is refused (I9)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(refusal_to_open(*archives, "squeezed", contract_for(Loss::mse, {6})) ==
        "for one example the model gives []; the first dimension must be the batch");
  TaskContract named = contract_for(Loss::own, {6});
  named.outputs = {{"y", Datatype::fp32, {-1, 2}}};
  CHECK(refusal_to_open(*archives, "own_loss", named) ==
        "the model gives output 'y' the shape [-1, 1], the contract says [-1, 2]");
}

TEST_CASE("a model that divides by how much a window's values differ is no reason to refuse it") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  for (const std::int64_t length : {40, -1}) {
    auto model =
        engine().open(archives->archive("standardised"), contract_for(Loss::cross_entropy, {6, length}));
    CHECK_NOTHROW(model->try_out());
  }
}

TEST_CASE("a model whose answers are infinite is refused (I9)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(refusal_to_open(*archives, "infinite", contract_for(Loss::cross_entropy, {6})) ==
        "the model gives NaN or infinite values on made-up inputs: x is FP32 [2, 6], floating ones between 0 "
        "and 1");
}

TEST_CASE("a model that does not run is refused with what it was given and what it said (I9)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  TaskContract contract = contract_for(Loss::cross_entropy, {6});
  contract.inputs.push_back({"z", Datatype::fp32, {-1, 5}});
  const std::string sentence = refusal_to_open(*archives, "two_inputs", contract);
  CAPTURE(sentence);
  CHECK(
      sentence.rfind("the model does not take its inputs as declared: x is FP32 [2, 6] and z is FP32 [2, 5]; "
                     "running it said: ",
                     0) == 0);
  CHECK(sentence.find("mat2") != std::string::npos);
}

TEST_CASE("a trial goes by the present weights and leaves them as they are") {
  auto model = engine().open(engine().build({"linear", {2}, 1, {}, 0}, 1), contract_for(Loss::mse, {2}));
  std::vector<float> weights = copy_of(model->weights());
  CHECK_NOTHROW(model->try_out());
  CHECK(copy_of(model->weights()) == weights);
  std::fill(model->weights().begin(), model->weights().end(), std::numeric_limits<float>::max());
  CHECK_THROWS_WITH_AS(model->try_out(),
                       "the model gives NaN or infinite values on made-up inputs: x is FP32 [2, 2], floating "
                       "ones between 0 and 1",
                       Error);
  std::copy(weights.begin(), weights.end(), model->weights().begin());
  CHECK_NOTHROW(model->try_out());
}
