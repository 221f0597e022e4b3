#include "server/program/contract_options.h"

#include <doctest/doctest.h>

#include "tests/unit/server_program/running.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

TaskContract contract_from(const std::vector<std::string>& words) {
  program::Options options;
  add_contract_options(options);
  return contract_of(program::parse(options, words));
}

std::string refusal(const std::vector<std::string>& words) {
  try {
    contract_from(words);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("inputs and outputs follow from the data and the labels and the loss") {
  const TaskContract windows = contract_from(window_options());
  CHECK(windows.inputs.at(0).shape == Shape{-1, 2, 8});
  CHECK(windows.outputs.at(0).shape == Shape{-1, 2});
  CHECK(windows.loss == Loss::cross_entropy);
  CHECK(windows.data.step == 8);
  const TaskContract table =
      contract_from({"--data.format", "table", "--data.columns", "a, b,c", "--data.label", " y "});
  CHECK(table.inputs.at(0).shape == Shape{-1, 3});
  CHECK(table.outputs.at(0).shape == Shape{-1, 1});
  CHECK(table.loss == Loss::mse);
  const TaskContract images = contract_from(
      {"--data.format", "images", "--data.height", "28", "--data.width", "20", "--labels", "0,1,2"});
  CHECK(images.inputs.at(0).shape == Shape{-1, 1, 28, 20});
  const TaskContract yes_or_no =
      contract_from({"--data.format", "table", "--data.columns", "a", "--data.label", "y", "--labels",
                     "no,yes", "--loss", "bce_with_logits"});
  CHECK(yes_or_no.outputs.at(0).shape == Shape{-1, 1});
}

TEST_CASE("a text's labels are its alphabet's characters in which escapes stand for others") {
  const TaskContract text =
      contract_from({"--data.format", "text", "--data.length", "20", "--data.alphabet", R"(ab\n\s\c\\\x41)"});
  CHECK(text.data.alphabet == "ab\n #\\A");
  CHECK(text.labels.size() == 7);
  CHECK(text.labels.at(2) == "\n");
  CHECK(text.inputs.at(0).datatype == Datatype::int64);
  CHECK(text.outputs.at(0).shape == Shape{-1, 7});
}

TEST_CASE("inputs that are given keep their order and need no data") {
  const TaskContract contract =
      contract_from({"--input.x", "6,50", "--input.ids", "INT64:20", "--input.age", "", "--labels", "a,b"});
  REQUIRE(contract.inputs.size() == 3);
  CHECK(contract.inputs[0].name == "x");
  CHECK(contract.inputs[0].shape == Shape{-1, 6, 50});
  CHECK(contract.inputs[1].datatype == Datatype::int64);
  CHECK(contract.inputs[2].shape == Shape{-1});
}

TEST_CASE("contracts that do not hold together are refused with what is wrong (I9)") {
  CHECK(contains(refusal({}), "--data.format is missing"));
  CHECK(contains(refusal({"--data.format", "windos"}), "--data.format: "));
  CHECK(contains(refusal(joined(window_options(), {"--loss", "crossentropy"})), "--loss: "));
  CHECK(contains(refusal(joined(window_options(), {"--loss", "mse"})), "mse"));
  CHECK(contains(refusal(joined(window_options(), {"--data.scale", "1,x"})),
                 "--data.scale: 'x' is not a number"));
  CHECK(contains(refusal(joined(window_options(), {"--data.step", "0"})), "--data.step: 0 is out of range"));
  CHECK(contains(refusal(joined(window_options(), {"--input.x", "3,8"})), "3"));
  CHECK(contains(refusal(joined(window_options(), {"--input.x", "2,wide"})),
                 "--input.x: 'wide' is no dimension"));
  CHECK(contains(refusal(joined(window_options(), {"--input.x", "FP99:2,8"})), "--input.x: "));
  CHECK(contains(refusal({"--data.format", "text", "--data.length", "5", "--data.alphabet", R"(ab\q)"}),
                 "backslash"));
  CHECK(contains(refusal({"--data.format", "text", "--data.length", "5", "--data.alphabet", R"(ab\x)"}),
                 "two hexadecimal digits"));
  CHECK(contains(refusal({"--data.format", "text", "--data.length", "5", "--data.alphabet", R"(ab\xZZ)"}),
                 "--data.alphabet: "));
}
