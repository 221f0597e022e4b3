#include "common/data/reader.h"
#include "tests/unit/data/data_support.h"

using namespace fl;
using test::check_error;
using test::table_contract;
using test::TemporaryFolder;
using test::write;

namespace {

std::vector<Example> read_table(std::string_view text, const TaskContract& contract) {
  const TemporaryFolder folder;
  return read_examples({write(folder, "table.csv", text)}, contract);
}

std::vector<float> target(const Example& example) {
  return {example.target.floats().begin(), example.target.floats().end()};
}

}  // namespace

TEST_CASE("a row is an example with its class as a number") {
  const auto contract = table_contract(Loss::cross_entropy, {-1, 3}, {"red", "green", "blue"});
  const auto examples = read_table("y,b,extra,a\nblue,2,x,1\nred,4,x,3\n", contract);
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].inputs.at(0).shape == Shape{2});
  CHECK(examples[0].inputs[0].floats()[0] == 1);
  CHECK(examples[0].inputs[0].floats()[1] == 2);
  CHECK(examples[0].target.datatype == Datatype::int64);
  CHECK(examples[0].target.shape.empty());
  CHECK(examples[0].target.integers()[0] == 2);
  CHECK(examples[1].target.integers()[0] == 0);
  CHECK(stack(examples).targets.shape == Shape{2});
}

TEST_CASE("a value to regress on has the shape of the output without its batch") {
  const auto column = read_table("a,b,y\n1,2,-3.5\n", table_contract(Loss::mse, {-1, 1}));
  CHECK(column.at(0).target.shape == Shape{1});
  CHECK(target(column[0]) == std::vector<float>{-3.5F});
  const auto plain = read_table("a,b,y\n1,2,-3.5\n", table_contract(Loss::mse, {-1}));
  CHECK(plain.at(0).target.shape.empty());
  CHECK(target(plain[0]) == std::vector<float>{-3.5F});
}

TEST_CASE("yes or no is 0 or 1 or one of two labels") {
  const auto numbers = read_table("a,b,y\n1,2,0\n1,2,1.0\n", table_contract(Loss::bce_with_logits, {-1, 1}));
  CHECK(target(numbers.at(0)) == std::vector<float>{0});
  CHECK(target(numbers.at(1)) == std::vector<float>{1});
  CHECK(numbers[0].target.shape == Shape{1});
  const auto named = table_contract(Loss::bce_with_logits, {-1, 1}, {"no", "yes"});
  CHECK(target(read_table("a,b,y\n1,2,yes\n", named).at(0)) == std::vector<float>{1});
}

TEST_CASE("one of several answers of yes or no is one of several numbers") {
  const auto contract = table_contract(Loss::bce_with_logits, {-1, 3}, {"red", "green", "blue"});
  const auto examples = read_table("a,b,y\n1,2,green\n", contract);
  CHECK(target(examples.at(0)) == std::vector<float>{0, 1, 0});
}

TEST_CASE("a model with a loss of its own gets class numbers with labels and values without") {
  const auto classes = table_contract(Loss::own, {-1, 2}, {"no", "yes"});
  CHECK(read_table("a,b,y\n1,2,yes\n", classes).at(0).target.integers()[0] == 1);
  const auto values = table_contract(Loss::own, {-1, 2});
  CHECK(target(read_table("a,b,y\n1,2,0.25\n", values).at(0)) == std::vector<float>{0.25F});
}

TEST_CASE("a target that does not fit the loss is named with file and line (I9)") {
  const auto refuse = [](const TaskContract& contract, const std::string& value, const char* expected) {
    std::string text = "a,b,y\n1,2,";
    text += value;
    check_error(
        ErrorCode::invalid_data, [&] { read_table(text, contract); }, "table.csv:2: column y holds", value,
        expected);
  };
  refuse(table_contract(Loss::cross_entropy, {-1, 2}, {"no", "yes"}), "perhaps", "one of no, yes");
  refuse(table_contract(Loss::bce_with_logits, {-1, 1}), "2", "0 or 1");
  refuse(table_contract(Loss::mse, {-1, 1}), "much", "a number");
  refuse(table_contract(Loss::mse, {-1, 1}), "-1e39", "fits fp32");
}

TEST_CASE("a model whose output one label cannot be held against is refused (I9)") {
  const auto refuse = [](const TaskContract& contract) {
    check_error(ErrorCode::invalid_argument, [&] { read_table("a,b,y\n", contract); }, "output 'y'", "[-1, ");
  };
  refuse(table_contract(Loss::mse, {-1, 2}));
  refuse(table_contract(Loss::bce_with_logits, {-1, 3}));
  refuse(table_contract(Loss::cross_entropy, {-1, 5, 2}, {"no", "yes"}));
}

TEST_CASE("rows without a label column can be predicted") {
  const TemporaryFolder folder;
  const auto contract = table_contract(Loss::mse, {-1, 1});
  const std::vector<std::filesystem::path> files{write(folder, "x.csv", "a,b\n1,2\n"),
                                                 write(folder, "y.csv", "a,b,y\n1,2,3\n")};
  const auto examples = read_examples(files, contract, LabelPolicy::optional);
  REQUIRE(examples.size() == 2);
  CHECK(!has_target(examples[0]));
  CHECK(has_target(examples[1]));
}
