#include "server/program/plan_options.h"

#include <doctest/doctest.h>

#include "tests/unit/server_program/running.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

Plan plan_from(const std::vector<std::string>& words) {
  program::Options options;
  add_plan_options(options);
  return plan_of(program::parse(options, words));
}

std::string refusal(const std::vector<std::string>& words) {
  try {
    plan_from(words);
  } catch (const program::UsageError& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("a plan without options is the default plan") {
  CHECK(to_json(plan_from({})) == to_json(Plan()));
}

TEST_CASE("every key of a plan has an option and options set what they name") {
  const Plan plan = plan_from({"--train.optimizer",
                               "adam",
                               "--train.learning-rate",
                               "1e-3",
                               "--train.batch-size",
                               "32",
                               "--train.schedule",
                               "cosine",
                               "--train.schedule-period",
                               "9",
                               "--round.goal",
                               "7",
                               "--round.over-selection",
                               "1.5",
                               "--round.seed",
                               "42",
                               "--round.server-beta1",
                               "0.8",
                               "--round.durability",
                               "relaxed",
                               "--round.server-attackers",
                               "3",
                               "--round.min-period-seconds",
                               "600",
                               "--round.sampling",
                               "least_recent",
                               "--evaluation.every",
                               "5",
                               "--round.keep-updates",
                               "5",
                               "--round.download-encoding",
                               "int8"});
  CHECK(plan.training.optimizer == Optimizer::adam);
  CHECK(plan.training.learning_rate == 1e-3);
  CHECK(plan.training.batch_size == 32);
  CHECK(plan.training.schedule == Schedule::cosine);
  CHECK(plan.training.schedule_period == 9);
  CHECK(plan.round.goal == 7);
  CHECK(plan.round.over_selection == 1.5);
  CHECK(plan.round.seed == 42);
  CHECK(plan.round.min_period_seconds == 600);
  CHECK(plan.round.sampling == Sampling::least_recent);
  CHECK(plan.round.durability == Durability::relaxed);
  CHECK(plan.round.server_beta1 == 0.8);
  CHECK_FALSE(plan.round.server_beta2);
  CHECK(plan.round.server_attackers == 3);
  CHECK(plan.evaluation.every == 5);
  CHECK(plan.round.keep_updates == KeepCount{5});
  CHECK(plan.round.keep_versions == KeepCount{});
  CHECK(plan.round.download_encoding == Encoding::int8);
  program::Options options;
  add_plan_options(options);
  CHECK(options.all().size() == 55);
}

TEST_CASE("what is not given follows from what is") {
  CHECK(plan_from({"--train.steps", "10"}).training.epochs == 0);
  CHECK(plan_from({"--round.goal", "1"}).round.minimum == 1);
  CHECK(plan_from({"--round.goal", "5"}).round.minimum == 2);
  CHECK(plan_from({"--evaluation.goal", "1"}).evaluation.minimum == 1);
  const RoundPlan buffers = plan_from({"--round.goal", "5", "--round.server-max-staleness", "3"}).round;
  CHECK(buffers.minimum == 5);
  CHECK(buffers.over_selection == 1.0);
}

TEST_CASE("a value that a plan cannot have is refused by its option (I9)") {
  CHECK(contains(refusal({"--train.learning-rate", "-1"}), "--train.learning-rate is -1"));
  CHECK(contains(refusal({"--train.batch-size", "0"}), "--train.batch-size is 0"));
  CHECK(contains(refusal({"--train.batch-size", "-3"}), "--train.batch-size: -3 is out of range"));
  CHECK(contains(refusal({"--train.batch-size", "99999999999"}), "--train.batch-size"));
  CHECK(contains(refusal({"--train.optimizer", "sdg"}), "--train.optimizer: "));
  CHECK(contains(refusal({"--round.goal", "2", "--round.minimum", "3"}), "--round.minimum is 3"));
  CHECK(contains(refusal({"--train.steps", "5", "--train.epochs", "5"}), "--train.epochs is 5"));
  CHECK(
      contains(refusal({"--round.server-kept", "1.5"}), "--round.server-kept: '1.5' is not a whole number"));
  CHECK(contains(refusal({"--round.server-trim", "0.5"}), "--round.server-trim is 0.5, it must be above 0"));
  CHECK(contains(refusal({"--round.sampling", "fair"}), "uniform, least_recent"));
  CHECK(contains(refusal({"--round.keep-versions", "some"}),
                 "--round.keep-versions: 'some' is not how many to keep, which is a whole number or 'all'"));
  CHECK(contains(refusal({"--round.keep-versions", "0"}), "--round.keep-versions is 0, it must be from 1"));
  CHECK(contains(
      refusal({"--round.download-encoding", "int4"}),
      "--round.download-encoding: there is no encoding 'int4', the known ones are fp32, fp16, int8"));
  CHECK(contains(refusal({"--round.goal", "many"}), "'many' is not a whole number"));
  CHECK(contains(refusal({"--evaluation.minimum", "11"}),
                 "--evaluation.minimum is 11, it must be at most goal, 10"));
  CHECK(contains(refusal({"--evaluation.deadline-seconds", "0"}), "--evaluation.deadline-seconds is 0"));
  CHECK(contains(refusal({"--evaluation.each", "1"}), "--evaluation.e"));
}
