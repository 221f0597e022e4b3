#pragma once

#include "common/model/plan.h"
#include "common/program/arguments.h"

namespace fl::server {

/// Adds an option for every key of a plan: train.learning-rate, round.goal and so on.
void add_plan_options(program::Options& options);

/// The plan that the options say, validated. What is not given follows from what is: no epochs where steps
/// are given, a minimum no larger than the goal, and where the task is asynchronous one as large and no
/// over-selection. Throws UsageError naming the option.
Plan plan_of(const program::Arguments& arguments);

}  // namespace fl::server
