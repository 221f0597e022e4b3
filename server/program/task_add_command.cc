#include <iostream>
#include <sstream>

#include <boost/json.hpp>

#include "common/base/files.h"
#include "common/data/targets.h"
#include "common/engine/engine_module.h"
#include "common/model/layout_json.h"
#include "common/model/manifest.h"
#include "server/ledger/blob_store.h"
#include "server/program/asking.h"
#include "server/program/commands.h"
#include "server/program/contract_options.h"
#include "server/program/plan_options.h"
#include "server/strategy/exact_fold.h"
#include "server/strategy/strategy.h"

namespace fl::server {
namespace {

using program::Arguments;
using program::UsageError;

constexpr std::int64_t most_hidden = 1'000'000;

/// What is needed to add a task, all of it checked.
struct NewTask {
  std::string name;
  Plan plan;
  TaskContract contract;
  Bytes archive;
  Layout layout;
  Weights weights;
};

void check_resolution(const RoundPlan& plan) {
  if (mean_resolution(plan) <= coarsest_resolution) return;
  std::ostringstream sentence;
  sentence << "the mean of a round's updates would be resolved to " << mean_resolution(plan)
           << " only, where 2^-28 is needed; lower round.goal, round.max-examples or round.max-delta";
  throw UsageError(sentence.str());
}

/// With '-' for '_', but in quotes.
std::string as_options_are_spelled(std::string sentence) {
  bool quoted = false;
  for (char& each : sentence) {
    if (each == '\'') quoted = !quoted;
    if (each == '_' && !quoted) each = '-';
  }
  return sentence;
}

void check_strategy(const Plan& plan) {
  try {
    make_strategy(plan);
  } catch (const Error& error) {
    throw UsageError("--round.strategy: " + as_options_are_spelled(error.what()));
  }
}

void check_that_it_is_new(const ServerHome& home, const std::string& name) {
  check_task_name(name);
  const boost::json::object answer = ask(home, {{"command", "tasks"}});
  for (const boost::json::value& task : answer.at("tasks").as_array()) {
    if (task.at("task").as_string() != name) continue;
    throw Error(ErrorCode::already_exists, "there is a task '" + name + "' already; it was left as it was");
  }
}

Architecture architecture_of(const Arguments& arguments, const TaskContract& contract) {
  Architecture architecture;
  architecture.name = arguments.text("architecture");
  const Shape& input = contract.inputs.front().shape;
  architecture.input_shape.assign(input.begin() + 1, input.end());
  architecture.outputs = contract.outputs.front().shape.back();
  architecture.vocabulary = static_cast<std::int64_t>(contract.data.alphabet.size());
  if (arguments.has("hidden")) architecture.hidden = arguments.integers("hidden", 1, most_hidden);
  return architecture;
}

Bytes archive_of(const Arguments& arguments, const NewTask& task, Engine& engine) {
  if (arguments.has("model")) return read_file(arguments.path("model"));
  return engine.build(architecture_of(arguments, task.contract), task.plan.round.seed);
}

void check_source(const Arguments& arguments) {
  if (arguments.has("model") == arguments.has("architecture")) {
    throw UsageError(
        "give either --model FILE.pt, an archive of your own, or --architecture NAME, one of "
        "linear, mlp, cnn1d, cnn2d, lstm");
  }
  if (arguments.has("hidden") && arguments.has("model")) {
    throw UsageError("--hidden belongs to --architecture; the archive of --model has its own layers");
  }
}

/// Opens the archive: the engine holds it against the contract.
void fill_from_archive(NewTask& task, Engine& engine, const Arguments& arguments) {
  try {
    const std::unique_ptr<Model> model = engine.open(task.archive, task.contract);
    task.layout = model->layout();
    const std::span<float> weights = model->weights();
    task.weights.assign(weights.begin(), weights.end());
  } catch (const Error& error) {
    if (!arguments.has("model")) throw;
    throw error.within(arguments.text("model"));
  }
}

NewTask prepare(const Arguments& arguments, const ServerHome& home) {
  check_source(arguments);
  NewTask task;
  task.name = arguments.text("NAME");
  task.plan = plan_of(arguments);
  task.contract = contract_of(arguments);
  check_strategy(task.plan);
  check_resolution(task.plan.round);
  check_that_it_is_new(home, task.name);
  const std::shared_ptr<Engine> engine = load_engine();
  task.archive = archive_of(arguments, task, *engine);
  fill_from_archive(task, *engine, arguments);
  return task;
}

/// Where the task is not added its blobs stay, since another may have been added meanwhile that has the same;
/// fsck finds and removes those that nobody needs.
void add(const ServerHome& home, const NewTask& task) {
  BlobStore blobs(home.blobs_path());
  const Digest archive = blobs.put(task.archive);
  const Digest weights = blobs.put(as_bytes(std::span<const float>(task.weights)));
  ask(home, {{"command", "task-add"},
             {"task", task.name},
             {"plan", to_json(task.plan)},
             {"contract", to_json(task.contract)},
             {"layout", to_json(task.layout)},
             {"archive", archive.hex()},
             {"weights", weights.hex()}});
}

/// A model may learn from examples that an app makes, of a shape that no file gives.
std::string note_on_files(const TaskContract& contract) {
  if (contract.inputs.size() > 1) return "";
  try {
    const TargetCodec files(contract);
  } catch (const Error& error) {
    return std::string(
               "Note: its examples must come from the app, by the library; fl-client import cannot read them "
               "from files: ") +
           error.what() + "\n";
  }
  return "";
}

void print(const NewTask& task, const std::string& folder) {
  std::cout << "Added the task '" << task.name << "': " << task.layout.size() << " parameters in "
            << task.layout.entries().size() << " tensors, " << describe(task.contract.inputs.front().shape)
            << " to " << describe(task.contract.outputs.front().shape) << ", loss "
            << name(task.contract.loss) << "\n"
            << "A round takes " << task.plan.round.goal << " updates; their mean is resolved to "
            << mean_resolution(task.plan.round) << "\n"
            << note_on_files(task.contract) << "Next: fl-server run " << folder << ", and fl-server token "
            << folder << " for each device\n";
}

int run(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const NewTask task = prepare(arguments, home);
  add(home, task);
  print(task, arguments.text("DIR"));
  return program::exit_ok;
}

}  // namespace

program::Command task_add_command() {
  program::Options options;
  options.argument("DIR", "the server's home")
      .argument("NAME", "what to call the task: a-z, 0-9, _ and -")
      .config_file()
      .group("Model")
      .value("model", "FILE.pt", "a TorchScript archive: torch.jit.script(model).save(\"FILE.pt\")")
      .value("architecture", "NAME", "instead: linear, mlp, cnn1d (windows), cnn2d (images) or lstm (text)")
      .value("hidden", "N,M,...", "widths of the architecture's hidden layers; without it, its own");
  add_contract_options(options);
  add_plan_options(options);
  return {"task add", "adds a task: a model, what it takes and gives, and how its rounds run",
          "fl-server task add ~/fl-server har --architecture cnn1d --data.format windows \\\n"
          "    --data.columns x_acc,y_acc,z_acc --data.label label --data.window 50 --data.step 25 \\\n"
          "    --labels sitting,standing,walking --train.epochs 2 --round.goal 6 --round.rounds 20\n"
          "fl-server task add ~/fl-server har --model har.pt --config har.ini",
          options, run};
}

}  // namespace fl::server
