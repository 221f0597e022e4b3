#include "common/model/plan.h"

#include <cmath>
#include <functional>
#include <limits>

#include <doctest/doctest.h>

#include "tests/unit/model/refusal.h"

using namespace fl;
using test::contains;
using test::refusal;

namespace {

/// What validate() says of a training plan with one field changed.
template <typename Change>
std::string refused_training(Change change) {
  Plan plan;
  change(plan.training);
  return refusal(ErrorCode::invalid_argument, [&] { plan.validate(); });
}

template <typename Change>
std::string refused_round(Change change) {
  Plan plan;
  change(plan.round);
  return refusal(ErrorCode::invalid_argument, [&] { plan.validate(); });
}

}  // namespace

TEST_CASE("the default plan is valid") {
  CHECK_NOTHROW(Plan().validate());
}

TEST_CASE("a plan out of range is refused by key and value and range (I9)") {
  CHECK(refused_training([](auto& plan) { plan.learning_rate = -1; }) ==
        "learning_rate is -1, it must be above 0 and at most 100");
  CHECK(refused_training([](auto& plan) { plan.learning_rate = 0; }) ==
        "learning_rate is 0, it must be above 0 and at most 100");
  CHECK(refused_training([](auto& plan) { plan.momentum = 1; }) ==
        "momentum is 1, it must be at least 0 and below 1");
  CHECK(refused_training([](auto& plan) { plan.weight_decay = 1.5; }) ==
        "weight_decay is 1.5, it must be from 0 to 1");
  CHECK(contains(refused_training([](auto& plan) { plan.beta1 = -0.1; }), "beta1 is -0.1"));
  CHECK(contains(refused_training([](auto& plan) { plan.beta2 = 1; }), "beta2 is 1"));
  CHECK(contains(refused_training([](auto& plan) { plan.epsilon = 0; }), "epsilon is 0"));
  CHECK(contains(refused_training([](auto& plan) { plan.epsilon = 1e-50; }), "epsilon is 1e-50"));
  CHECK(contains(refused_training([](auto& plan) { plan.schedule_period = 0; }), "schedule_period is 0"));
  CHECK(contains(refused_training([](auto& plan) { plan.schedule_factor = 2; }), "schedule_factor is 2"));
  CHECK(contains(refused_training([](auto& plan) { plan.epochs = 10'001; }), "epochs is 10001"));
  CHECK(contains(refused_training([](auto& plan) { plan.batch_size = 0; }), "batch_size is 0"));
  CHECK(contains(refused_training([](auto& plan) { plan.proximal_mu = -1; }), "proximal_mu is -1"));
  CHECK(contains(refused_training([](auto& plan) { plan.gradient_clip = -1; }), "gradient_clip is -1"));
}

TEST_CASE("a round plan out of range is refused by key and value and range (I9)") {
  CHECK(refused_round([](auto& plan) { plan.goal = 0; }) == "goal is 0, it must be from 1 to 1000000");
  CHECK(refused_round([](auto& plan) { plan.minimum = 3; }) == "minimum is 3, it must be at most goal, 2");
  CHECK(contains(refused_round([](auto& plan) { plan.minimum = 0; }), "minimum is 0"));
  CHECK(refused_round([](auto& plan) { plan.over_selection = 0.5; }) ==
        "over_selection is 0.5, it must be from 1 to 10");
  CHECK(contains(refused_round([](auto& plan) { plan.over_selection = 10.5; }), "over_selection is 10.5"));
  CHECK(contains(refused_round([](auto& plan) { plan.selection_seconds = 700'000; }), "selection_seconds"));
  CHECK(contains(refused_round([](auto& plan) { plan.deadline_seconds = 0; }), "deadline_seconds is 0"));
  CHECK(refused_round([](auto& plan) { plan.min_period_seconds = 604'801; }) ==
        "min_period_seconds is 604801, it must be from 0 to 604800");
  CHECK(contains(refused_round([](auto& plan) { plan.max_examples = 0; }), "max_examples is 0"));
  CHECK(contains(refused_round([](auto& plan) { plan.max_examples = (1U << 29U) + 1; }),
                 "max_examples is 536870913, it must be from 1 to 536870912"));
  CHECK(refused_round([](auto& plan) { plan.max_delta = 0; }) ==
        "max_delta is 0, it must be from 1e-30 to 1e+06");
  CHECK(refused_round([](auto& plan) {
          plan.encoding = Encoding::fp16;
          plan.max_delta = 70'000;
        }) == "max_delta is 70000, it must be at most 65504 where updates are encoded as fp16");
  CHECK(refused_round([](auto& plan) {
          plan.download_encoding = Encoding::fp16;
          plan.max_delta = 70'000;
        }) == "max_delta is 70000, it must be at most 65504 where downloads are encoded as fp16");
  CHECK(contains(refused_round([](auto& plan) { plan.max_delta = 1e-50; }), "max_delta is 1e-50"));
  CHECK(contains(refused_round([](auto& plan) { plan.max_delta = 1'000'001; }), "max_delta is 1000001"));
  CHECK(contains(refused_round([](auto& plan) { plan.max_update_bytes = 0; }), "max_update_bytes is 0"));
  CHECK(contains(refused_round([](auto& plan) { plan.strategy = "../x"; }), "strategy is '../x'"));
  CHECK(contains(refused_round([](auto& plan) { plan.rounds = 2'000'000'000; }), "rounds is 2000000000"));
}

TEST_CASE("an evaluation plan out of range is refused by key and value and range (I9)") {
  const auto refused = [](const std::function<void(EvaluationPlan&)>& change) {
    Plan plan;
    change(plan.evaluation);
    return refusal(ErrorCode::invalid_argument, [&] { plan.validate(); });
  };
  CHECK(refused([](auto& plan) { plan.goal = 0; }) == "goal is 0, it must be from 1 to 1000000");
  CHECK(refused([](auto& plan) { plan.minimum = 11; }) == "minimum is 11, it must be at most goal, 10");
  CHECK(contains(refused([](auto& plan) { plan.minimum = 0; }), "minimum is 0"));
  CHECK(contains(refused([](auto& plan) { plan.every = 2'000'000'000; }), "every is 2000000000"));
  CHECK(contains(refused([](auto& plan) { plan.deadline_seconds = 0; }), "deadline_seconds is 0"));
  CHECK(contains(refused([](auto& plan) { plan.deadline_seconds = 700'000; }), "deadline_seconds"));
}

TEST_CASE("versions are due for evaluation by their number and by default none is") {
  EvaluationPlan plan;
  CHECK_FALSE(plan.is_due(1));
  plan.every = 3;
  CHECK_FALSE(plan.is_due(2));
  CHECK(plan.is_due(3));
  CHECK(plan.is_due(6));
}

TEST_CASE("a plan keeps how versions are evaluated and one of an older server has none evaluated") {
  Plan plan;
  plan.evaluation = {4, 7, 3, 90};
  const EvaluationPlan read = plan_from_json(to_json(plan)).evaluation;
  CHECK(read.every == 4);
  CHECK(read.goal == 7);
  CHECK(read.minimum == 3);
  CHECK(read.deadline_seconds == 90);
  CHECK(plan_from_json(R"({"training":{},"round":{}})").evaluation.every == 0);
  CHECK(contains(refusal(ErrorCode::invalid_data, [] { plan_from_json(R"({"evaluation":{"each":1}})"); }),
                 "each"));
}

TEST_CASE("at the ends of their ranges a round plan's numbers are valid") {
  Plan plan;
  plan.round.max_examples = 1U << 29U;
  for (const double bound : {1e-30, 1e6}) {
    plan.round.max_delta = bound;
    CHECK_NOTHROW(plan.validate());
    CHECK(static_cast<float>(bound) > 0.0F);
  }
}

TEST_CASE("no number of a plan may be NaN or infinite") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    refused_training([&](auto& plan) { plan.learning_rate = bad; });
    refused_training([&](auto& plan) { plan.momentum = bad; });
    refused_training([&](auto& plan) { plan.weight_decay = bad; });
    refused_training([&](auto& plan) { plan.beta1 = bad; });
    refused_training([&](auto& plan) { plan.beta2 = bad; });
    refused_training([&](auto& plan) { plan.epsilon = bad; });
    refused_training([&](auto& plan) { plan.schedule_factor = bad; });
    refused_training([&](auto& plan) { plan.proximal_mu = bad; });
    refused_training([&](auto& plan) { plan.gradient_clip = bad; });
    refused_round([&](auto& plan) { plan.over_selection = bad; });
    refused_round([&](auto& plan) { plan.max_delta = bad; });
    refused_round([&](auto& plan) { plan.server_learning_rate = bad; });
    refused_round([&](auto& plan) { plan.server_tau = bad; });
    refused_round([&](auto& plan) { plan.server_trim = bad; });
    refused_round([&](auto& plan) { plan.server_norm_bound = bad; });
    refused_round([&](auto& plan) { plan.server_smoothing = bad; });
    refused_round([&](auto& plan) { plan.server_q = bad; });
    refused_round([&](auto& plan) { plan.server_lipschitz = bad; });
  }
  CHECK(contains(refused_training([](auto& plan) { plan.learning_rate = std::nan(""); }), "is nan"));
}

TEST_CASE("what a strategy may be told is kept as it was given, and out of range refused (I9)") {
  Plan plan;
  CHECK(to_json(plan).find("server_") == std::string::npos);
  plan.round.server_learning_rate = 0.1;
  plan.round.server_tau = 0.001;
  const Plan read = plan_from_json(to_json(plan));
  CHECK(read.round.server_learning_rate == 0.1);
  CHECK(read.round.server_tau == 0.001);
  CHECK_FALSE(read.round.server_beta1);
  plan.round.server_attackers = 7;
  plan.round.server_trim = 0.25;
  CHECK(plan_from_json(to_json(plan)).round.server_attackers == 7);
  CHECK(plan_from_json(to_json(plan)).round.server_trim == 0.25);
  CHECK(contains(refused_round([](auto& given) { given.server_learning_rate = 0; }),
                 "server_learning_rate is 0"));
  CHECK(refused_round([](auto& given) { given.server_trim = 0.5; }) ==
        "server_trim is 0.5, it must be above 0 and below 0.5");
  CHECK(refused_round([](auto& given) { given.server_q = -0.5; }) ==
        "server_q is -0.5, it must be from 0 to 16");
  CHECK(refused_round([](auto& given) { given.server_lipschitz = 0; }) ==
        "server_lipschitz is 0, it must be above 0 and at most 1e+06");
  plan.round.server_max_staleness = 0;
  plan.round.server_concurrency = 12;
  CHECK(plan_from_json(to_json(plan)).round.server_max_staleness == 0);
  CHECK(plan_from_json(to_json(plan)).round.server_concurrency == 12);
  CHECK(refused_round([](auto& given) { given.server_max_staleness = 1'000'001; }) ==
        "server_max_staleness is 1000001, it must be from 0 to 1000000");
  CHECK(refused_round([](auto& given) { given.server_concurrency = 0; }) ==
        "server_concurrency is 0, it must be from 1 to 1000000");
  CHECK(contains(refused_round([](auto& given) { given.server_trim = 0; }), "server_trim is 0,"));
  CHECK(refused_round([](auto& given) { given.server_norm_bound = 0; }) ==
        "server_norm_bound is 0, it must be above 0 and at most 1e+09");
  CHECK(contains(refused_round([](auto& given) { given.server_attackers = 1'000'001; }), "server_attackers"));
  CHECK(refused_round([](auto& given) { given.server_kept = 0; }) ==
        "server_kept is 0, it must be from 1 to 1000000");
  CHECK(refused_round([](auto& given) { given.server_iterations = 101; }) ==
        "server_iterations is 101, it must be from 1 to 100");
  CHECK(refused_round([](auto& given) { given.server_smoothing = 0; }) ==
        "server_smoothing is 0, it must be from 1e-12 to 1");
  CHECK(contains(refused_round([](auto& given) { given.server_momentum = 1; }), "server_momentum is 1"));
  CHECK(contains(refused_round([](auto& given) { given.server_beta2 = -0.1; }), "server_beta2 is -0.1"));
  CHECK(contains(refused_round([](auto& given) { given.server_tau = 0; }), "server_tau is 0"));
}

TEST_CASE("how many are kept is a number or all and anything else is refused (I9)") {
  Plan plan;
  CHECK(plan_from_json(to_json(plan)).round.keep_versions == KeepCount{});
  CHECK(plan_from_json(to_json(plan)).round.keep_updates == KeepCount{0});
  plan.round.keep_updates = keep_count_from_name("all");
  plan.round.keep_versions = keep_count_from_name("12");
  CHECK(plan_from_json(to_json(plan)).round.keep_updates == KeepCount{});
  CHECK(plan_from_json(to_json(plan)).round.keep_versions == KeepCount{12});
  for (const char* wrong : {"", "ALL", "-1", "1.5", " 1", "99999999999999999999999"}) {
    CAPTURE(wrong);
    CHECK(contains(refusal(ErrorCode::invalid_argument, [&] { keep_count_from_name(wrong); }),
                   "a whole number or 'all'"));
  }
  CHECK(contains(refused_round([](auto& given) { given.keep_versions = {0}; }),
                 "keep_versions is 0, it must be from 1 to 1000000000"));
  CHECK(contains(refused_round([](auto& given) { given.keep_updates = {2'000'000'000}; }), "keep_updates"));
}

TEST_CASE("exactly one of epochs and steps counts") {
  CHECK(contains(refused_training([](auto& plan) { plan.steps = 5; }),
                 "epochs is 1 and steps is 5, exactly one of them must be above 0"));
  CHECK(contains(refused_training([](auto& plan) { plan.epochs = 0; }), "epochs is 0 and steps is 0"));
  Plan plan;
  plan.training.epochs = 0;
  plan.training.steps = 5;
  CHECK_NOTHROW(plan.validate());
}

TEST_CASE("the learning rate follows its schedule from round to round") {
  TrainingPlan plan;
  plan.learning_rate = 0.8;
  plan.schedule_factor = 0.5;
  plan.schedule_period = 4;
  const auto rate = [&](Schedule schedule, std::uint64_t round) {
    plan.schedule = schedule;
    return plan.learning_rate_at(round);
  };
  for (const std::uint64_t round : {1U, 2U, 100U}) CHECK(rate(Schedule::constant, round) == 0.8);
  CHECK(rate(Schedule::step, 1) == 0.8);
  CHECK(rate(Schedule::step, 4) == 0.8);
  CHECK(rate(Schedule::step, 5) == 0.4);
  CHECK(rate(Schedule::step, 8) == 0.4);
  CHECK(rate(Schedule::step, 9) == 0.2);
  CHECK(rate(Schedule::exponential, 1) == 0.8);
  CHECK(rate(Schedule::exponential, 2) == 0.4);
  CHECK(rate(Schedule::exponential, 4) == 0.1);
  CHECK(rate(Schedule::cosine, 1) == 0.8);
  CHECK(rate(Schedule::cosine, 3) == doctest::Approx(0.6));
  CHECK(rate(Schedule::cosine, 2) == doctest::Approx(0.6 + 0.2 * std::sqrt(0.5)));
  CHECK(rate(Schedule::cosine, 5) == doctest::Approx(0.4));
  CHECK(rate(Schedule::cosine, 5000) == rate(Schedule::cosine, 5));
}

TEST_CASE(
    "optimizers, schedules and durabilities go by name and unknown ones are refused with the known (I9)") {
  for (const Optimizer each : {Optimizer::sgd, Optimizer::adam})
    CHECK(optimizer_from_name(name(each)) == each);
  for (const Schedule each : {Schedule::constant, Schedule::step, Schedule::exponential, Schedule::cosine}) {
    CHECK(schedule_from_name(name(each)) == each);
  }
  CHECK(contains(refusal(ErrorCode::invalid_argument, [] { optimizer_from_name("sdg"); }),
                 "there is no optimizer 'sdg', the known ones are sgd, adam"));
  CHECK(contains(refusal(ErrorCode::invalid_argument, [] { schedule_from_name(""); }), "cosine"));
  CHECK(durability_from_name("relaxed") == Durability::relaxed);
  CHECK(contains(refusal(ErrorCode::invalid_argument, [] { durability_from_name("none"); }), "fsync"));
}
