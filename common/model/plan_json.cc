#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "common/model/json_reader.h"
#include "common/model/limits.h"
#include "common/model/plan.h"

namespace fl {
namespace {

boost::json::object json_of(const TrainingPlan& plan) {
  return {{"optimizer", name(plan.optimizer)},
          {"learning_rate", plan.learning_rate},
          {"momentum", plan.momentum},
          {"weight_decay", plan.weight_decay},
          {"beta1", plan.beta1},
          {"beta2", plan.beta2},
          {"epsilon", plan.epsilon},
          {"schedule", name(plan.schedule)},
          {"schedule_period", plan.schedule_period},
          {"schedule_factor", plan.schedule_factor},
          {"epochs", plan.epochs},
          {"steps", plan.steps},
          {"batch_size", plan.batch_size},
          {"proximal_mu", plan.proximal_mu},
          {"gradient_clip", plan.gradient_clip}};
}

boost::json::object json_of(const RoundPlan& plan) {
  boost::json::object object{{"strategy", plan.strategy},
                             {"rounds", plan.rounds},
                             {"goal", plan.goal},
                             {"minimum", plan.minimum},
                             {"over_selection", plan.over_selection},
                             {"sampling", name(plan.sampling)},
                             {"selection_seconds", plan.selection_seconds},
                             {"deadline_seconds", plan.deadline_seconds},
                             {"min_period_seconds", plan.min_period_seconds},
                             {"max_examples", plan.max_examples},
                             {"max_delta", plan.max_delta},
                             {"max_update_bytes", plan.max_update_bytes},
                             {"encoding", name(plan.encoding)},
                             {"compression", name(plan.compression)},
                             {"download_encoding", name(plan.download_encoding)},
                             {"durability", name(plan.durability)},
                             {"keep_updates", name(plan.keep_updates)},
                             {"keep_versions", name(plan.keep_versions)},
                             {"seed", plan.seed}};
  visit_strategy_settings(plan, [&object](const char* key, const auto& setting) {
    if (setting) object[key] = *setting;
  });
  return object;
}

boost::json::object json_of(const EvaluationPlan& plan) {
  return {{"every", plan.every},
          {"goal", plan.goal},
          {"minimum", plan.minimum},
          {"deadline_seconds", plan.deadline_seconds}};
}

TrainingPlan read_training(json::ObjectReader object) {
  TrainingPlan plan;
  object.optional("optimizer", plan.optimizer, optimizer_from_name);
  object.optional("learning_rate", plan.learning_rate);
  object.optional("momentum", plan.momentum);
  object.optional("weight_decay", plan.weight_decay);
  object.optional("beta1", plan.beta1);
  object.optional("beta2", plan.beta2);
  object.optional("epsilon", plan.epsilon);
  object.optional("schedule", plan.schedule, schedule_from_name);
  object.optional("schedule_period", plan.schedule_period);
  object.optional("schedule_factor", plan.schedule_factor);
  object.optional("steps", plan.steps);
  if (plan.steps > 0) plan.epochs = 0;
  object.optional("epochs", plan.epochs);
  object.optional("batch_size", plan.batch_size);
  object.optional("proximal_mu", plan.proximal_mu);
  object.optional("gradient_clip", plan.gradient_clip);
  object.finish();
  return plan;
}

RoundPlan read_round(json::ObjectReader object) {
  RoundPlan plan;
  object.optional("strategy", plan.strategy);
  object.optional("rounds", plan.rounds);
  object.optional("goal", plan.goal);
  object.optional("minimum", plan.minimum);
  object.optional("over_selection", plan.over_selection);
  object.optional("sampling", plan.sampling, sampling_from_name);
  object.optional("selection_seconds", plan.selection_seconds);
  object.optional("deadline_seconds", plan.deadline_seconds);
  object.optional("min_period_seconds", plan.min_period_seconds);
  object.optional("max_examples", plan.max_examples);
  object.optional("max_delta", plan.max_delta);
  object.optional("max_update_bytes", plan.max_update_bytes);
  object.optional("encoding", plan.encoding, encoding_from_name);
  object.optional("compression", plan.compression, compression_from_name);
  object.optional("download_encoding", plan.download_encoding, encoding_from_name);
  object.optional("durability", plan.durability, durability_from_name);
  object.optional("keep_updates", plan.keep_updates, keep_count_from_name);
  object.optional("keep_versions", plan.keep_versions, keep_count_from_name);
  object.optional("seed", plan.seed);
  visit_strategy_settings(plan, [&object](const char* key, auto& setting) {
    object.know(key);
    if (object.has(key)) object.required(key, setting.emplace());
  });
  object.finish();
  return plan;
}

EvaluationPlan read_evaluation(json::ObjectReader object) {
  EvaluationPlan plan;
  object.optional("every", plan.every);
  object.optional("goal", plan.goal);
  object.optional("minimum", plan.minimum);
  object.optional("deadline_seconds", plan.deadline_seconds);
  object.finish();
  return plan;
}

}  // namespace

std::string to_json(const Plan& plan) {
  return boost::json::serialize(boost::json::object{{"training", json_of(plan.training)},
                                                    {"round", json_of(plan.round)},
                                                    {"evaluation", json_of(plan.evaluation)}});
}

Plan plan_from_json(std::string_view text) {
  const boost::json::value document = json::parse(text, "the plan", model_limits::manifest_bytes);
  json::ObjectReader object(document, "");
  Plan plan;
  object.know("training");
  object.know("round");
  object.know("evaluation");
  if (object.has("training")) plan.training = read_training(object.object("training"));
  if (object.has("round")) plan.round = read_round(object.object("round"));
  if (object.has("evaluation")) plan.evaluation = read_evaluation(object.object("evaluation"));
  object.finish();
  return plan;
}

}  // namespace fl
