#include <bit>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/model/contract.h"
#include "common/model/plan.h"
#include "tests/unit/model/refusal.h"
#include "tests/unit/model/sample_contract.h"

using namespace fl;
using namespace fl::test;

namespace {

std::string refused_plan(const std::string& text) {
  return refusal(ErrorCode::invalid_data, [&] { plan_from_json(text); });
}

std::string refused_contract(std::string_view from, std::string_view to) {
  const std::string text = replaced(to_json(windows_contract()), from, to);
  return refusal(ErrorCode::invalid_data, [&] { task_contract_from_json(text); });
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("a plan comes back from JSON as it was") {
  Plan plan;
  plan.training.optimizer = Optimizer::adam;
  plan.training.learning_rate = 0.1 + 0.2;
  plan.training.schedule = Schedule::cosine;
  plan.training.schedule_period = 17;
  plan.training.epochs = 0;
  plan.training.steps = 12;
  plan.training.epsilon = 1e-300;
  plan.round.strategy = "median";
  plan.round.rounds = 20;
  plan.round.seed = std::numeric_limits<std::uint64_t>::max();
  plan.round.max_examples = std::numeric_limits<std::uint32_t>::max();
  const Plan read = plan_from_json(to_json(plan));
  CHECK(to_json(read) == to_json(plan));
  CHECK(read.training.optimizer == Optimizer::adam);
  CHECK(read.training.learning_rate == 0.1 + 0.2);
  CHECK(read.training.schedule == Schedule::cosine);
  CHECK(read.training.steps == 12);
  CHECK(read.training.epsilon == 1e-300);
  CHECK(read.round.strategy == "median");
  CHECK(read.round.seed == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("numbers come back from JSON bit for bit (I4)") {
  Random random(3);
  for (int repeat = 0; repeat < 20'000; ++repeat) {
    const std::uint64_t bits = random();
    const auto number = std::bit_cast<double>(bits);
    if (!std::isfinite(number)) continue;
    Plan plan;
    plan.training.learning_rate = number;
    plan.training.momentum = random.uniform();
    const Plan read = plan_from_json(to_json(plan));
    REQUIRE(std::bit_cast<std::uint64_t>(read.training.learning_rate) == bits);
    REQUIRE(read.training.momentum == plan.training.momentum);
  }
}

TEST_CASE("numbers typed by a user are read as the compiler reads them") {
  const auto read = [](const std::string& number) {
    return plan_from_json(R"({"training":{"learning_rate":)" + number + "}}").training.learning_rate;
  };
  CHECK(read("0.1234567890123456789") == 0.1234567890123456789);
  CHECK(read("9007199254740993.0") == 9007199254740993.0);
  CHECK(read("2.2250738585072011e-308") == 2.2250738585072011e-308);
  CHECK(read("1e23") == 1e23);
  CHECK(read("3") == 3.0);
  CHECK(read("18446744073709551615") == 18446744073709551615.0);
}

TEST_CASE("keys that a plan lacks have their defaults") {
  CHECK(to_json(plan_from_json("{}")) == to_json(Plan()));
  const Plan plan = plan_from_json(R"( { "training" : { "batch_size" : 8 } } )");
  CHECK(plan.training.batch_size == 8);
  CHECK(plan.training.epochs == 1);
  CHECK(plan.round.goal == 2);
  const Plan steps = plan_from_json(R"({"training":{"steps":100}})");
  CHECK(steps.training.epochs == 0);
  CHECK_NOTHROW(steps.validate());
}

TEST_CASE("a plan's key that is unknown or of the wrong kind is refused by name (I9)") {
  const std::string unknown = refused_plan(R"({"training":{"learning_rat":0.1}})");
  CHECK(contains(unknown, "'training.learning_rat' is not known"));
  CHECK(contains(unknown, "optimizer, learning_rate, momentum"));
  CHECK(contains(refused_plan(R"({"trainin":{}})"),
                 "'trainin' is not known, the known ones are training, round"));
  CHECK(refused_plan(R"({"training":{"learning_rate":"0.1"}})") ==
        "the key 'training.learning_rate' must be a number, it is a text");
  CHECK(refused_plan(R"({"round":{"goal":-1}})") ==
        "the key 'round.goal' must be a whole number from 0 to 4294967295, it is -1");
  CHECK(contains(refused_plan(R"({"round":{"goal":4294967296}})"), "it is 4294967296"));
  CHECK(contains(refused_plan(R"({"round":{"goal":2.0}})"), "'round.goal' must be a whole number"));
  CHECK(contains(refused_plan(R"({"round":{"goal":true}})"), "it is true"));
  CHECK(contains(refused_plan(R"({"round":{"seed":18446744073709551616}})"), "'round.seed'"));
  CHECK(contains(refused_plan(R"({"round":[]})"), "'round' must be an object, it is a list"));
  CHECK(contains(refused_plan(R"({"round":null})"), "it is null"));
  CHECK(contains(refused_plan(R"({"training":{"optimizer":"sdg"}})"),
                 "'training.optimizer': there is no optimizer 'sdg'"));
  CHECK(contains(refused_plan("[]"), "must be an object, it is a list"));
}

TEST_CASE("text that is not JSON is refused with the place (I9)") {
  CHECK(contains(refused_plan(""), "the plan is not JSON at byte 0"));
  CHECK(contains(refused_plan(R"({"round":)"), "not JSON"));
  CHECK(contains(refused_plan(R"({"round":{}} x)"), "at byte 13"));
  CHECK(contains(refused_plan("{}{}"), "at byte 2"));
  CHECK(contains(refused_plan(R"({"round":{},})"), "not JSON"));
  CHECK(contains(refused_plan("{\"\xff\":1}"), "not JSON"));
  CHECK(contains(refused_plan(R"({"training":{"learning_rate":NaN}})"), "not JSON"));
  CHECK(contains(refused_plan("/**/{}"), "not JSON"));
}

TEST_CASE("a key that is there twice is refused (I9)") {
  CHECK(refused_plan(R"({"round":{"goal":2,"goal":3}})") == "the plan: the key 'goal' is there twice");
  CHECK(contains(refused_plan(R"({"round":{},"ro\u0075nd":{}})"), "'round' is there twice"));
  CHECK_NOTHROW(plan_from_json(R"({"round":{"seed":2},"training":{}})"));
}

TEST_CASE("deep nesting and huge numbers and long texts are refused (I8)") {
  CHECK(contains(refused_plan(R"({"round":)" + nested(16) + "}"), "nested deeper than 16 levels"));
  CHECK(contains(refused_plan(nested(100'000)), "nested deeper than 16 levels"));
  CHECK(contains(refused_plan(R"({"round":)" + nested(15) + "}"), "must be an object"));
  CHECK(contains(refused_plan(R"({"training":{"learning_rate":1e400}})"), "beyond a double"));
  CHECK(contains(refused_plan(R"({"training":{"learning_rate":-1e99999}})"), "beyond a double"));
  CHECK_THROWS_AS(plan_from_json(R"({"training":{"learning_rate":1e999999999999999999999}})"), Error);
  CHECK_THROWS_AS(plan_from_json(R"({"training":{"learning_rate":)" + std::string(100'000, '9') + "}}"),
                  Error);
  const std::string padded = "{}" + std::string(std::size_t{256} << 10U, ' ');
  CHECK(contains(refused_plan(padded), "the plan has 262146 bytes, at most 262144 are allowed"));
  CHECK_NOTHROW(plan_from_json(padded.substr(0, std::size_t{256} << 10U)));
}

TEST_CASE("contracts of every data format come back from JSON as they were") {
  for (const TaskContract& contract :
       {windows_contract(), table_contract(), images_contract(), text_contract()}) {
    const TaskContract read = task_contract_from_json(to_json(contract));
    CHECK_NOTHROW(read.validate());
    CHECK(to_json(read) == to_json(contract));
    CHECK(read.inputs[0].shape == contract.inputs[0].shape);
    CHECK(read.inputs[0].datatype == contract.inputs[0].datatype);
    CHECK(read.loss == contract.loss);
    CHECK(read.labels == contract.labels);
    CHECK(read.data.format == contract.data.format);
    CHECK(read.data.columns == contract.data.columns);
    CHECK(read.data.scale == contract.data.scale);
    CHECK(read.data.alphabet == contract.data.alphabet);
    CHECK(read.data.step == contract.data.step);
  }
}

TEST_CASE("labels of any script and of control characters come back from JSON") {
  TaskContract contract = text_contract();
  contract.labels = {"\n", "\"", "\\", "größe \xf0\x9f\x98\x80"};
  CHECK(task_contract_from_json(to_json(contract)).labels == contract.labels);
}

TEST_CASE("a contract's key that is missing or unknown or of the wrong kind is refused by name (I9)") {
  CHECK(refused_contract(R"("loss":"cross_entropy",)", "") == "the key 'loss' is missing");
  CHECK(contains(refused_contract("cross_entropy", "l2"), "'loss': there is no loss 'l2'"));
  CHECK(contains(refused_contract(R"("label":)", R"("labell":)"), "'data.label' is missing"));
  CHECK(contains(refused_contract(R"("step":)", R"("height":1,"step":)"), "'data.height' is not known"));
  CHECK(contains(refused_contract(R"([-1,3,50])", R"([-1,"3",50])"),
                 "'inputs[0].shape[1]' must be a whole number"));
  CHECK(contains(refused_contract(R"([-1,3,50])", "7"), "'inputs[0].shape' must be a list, it is 7"));
  CHECK(contains(refused_contract("FP32", "FP31"), "'inputs[0].datatype': there is no datatype 'FP31'"));
  CHECK(contains(refused_contract(R"("name":"motion",)", ""), "'inputs[0].name' is missing"));
  CHECK(contains(refused_contract(R"("window":50)", R"("window":9223372036854775808)"), "'data.window'"));
}
