#include <iostream>

#include <boost/json.hpp>

#include "common/data/reader.h"
#include "common/program/progress.h"
#include "server/program/commands.h"
#include "server/program/following.h"
#include "server/program/model_access.h"

namespace fl::server {
namespace {

using program::Arguments;
using program::Cell;

Examples read_all(const std::vector<std::string>& files, const TaskContract& contract) {
  program::Progress progress("reading examples");
  const std::unique_ptr<ExampleReader> reader = open_examples({files.begin(), files.end()}, contract);
  std::vector<Example> examples;
  while (std::optional<Example> example = reader->next()) {
    examples.push_back(*std::move(example));
    progress.update(0, 0, reader->where());
  }
  if (examples.empty()) throw Error(ErrorCode::invalid_data, "the files of --data hold no examples");
  return stack(examples);
}

program::TextTable empty_table() {
  return program::TextTable({{"version", 0, 7},
                             {"round", 0, 5},
                             {"devices", 0, 7},
                             {"examples", 0, 9},
                             {"accuracy", 4, 8},
                             {"loss", 4, 8},
                             {.name = "bytes", .width = 8, .bytes = true},
                             {"seconds", 1, 7}});
}

/// Evaluates versions on examples that the operator has, and prints a row for each.
class Evaluator {
 public:
  Evaluator(const ServerHome& home, KnownTask task, const Examples& examples, bool as_json)
      : home_(home),
        task_(std::move(task)),
        examples_(examples),
        as_json_(as_json),
        table_(empty_table()),
        model_(open_model(home, task_)) {
    if (!as_json_) std::cout << table_.heading() << std::flush;
  }

  void print(const KnownVersion& version) {
    load_version(home_, version, *model_);
    const Evaluation result = model_->evaluate(examples_);
    std::vector<Cell> cells{static_cast<std::int64_t>(version.version)};
    add_round(version.round, cells);
    cells[4] = result.accuracy ? Cell(*result.accuracy) : Cell();
    cells[5] = result.loss;
    std::cout << (as_json_ ? table_.row_json(cells) : table_.row_text(cells)) << std::flush;
  }

  const std::string& task() const { return task_.name; }

 private:
  /// What the round that made the version cost; nothing of it for a first version.
  void add_round(std::uint64_t number, std::vector<Cell>& cells) const {
    cells.resize(8);
    const auto round = number == 0 ? std::nullopt : ask_round(home_, task_.name, number);
    if (!round) return;
    cells[1] = cell_of(round->at("round"));
    cells[2] = cell_of(round->at("accepted"));
    cells[3] = cell_of(round->at("examples"));
    cells[6] = cell_of(round->at("update_bytes"));
    cells[7] = (round->at("closed").to_number<double>() - round->at("opened").to_number<double>()) / 1000.0;
  }

  const ServerHome& home_;
  KnownTask task_;
  const Examples& examples_;
  bool as_json_;
  program::TextTable table_;
  std::unique_ptr<Model> model_;
};

void print_all(const ServerHome& home, const Following& following, Evaluator& evaluator) {
  std::uint64_t after = 0;
  look_and_follow(following, [&] {
    for (const KnownVersion& version : ask_versions(home, evaluator.task(), after)) {
      if (!version.pruned) evaluator.print(version);
      after = version.version;
      if (following.until_round != 0 && version.round >= following.until_round) return false;
    }
    return true;
  });
}

int run(const Arguments& arguments) {
  const Following following = following_of(arguments);
  const bool all = following.follow || arguments.has("all");
  if (all && arguments.has("version")) {
    throw program::UsageError("--version is one version, --all and --follow are all of them: choose one");
  }
  if (!arguments.has("data")) throw program::UsageError("the option --data is missing: the files to test on");
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const KnownTask task = ask_task(home, arguments.text("TASK"));
  const auto number = arguments.has("version") ? arguments.integer("version", 1) : 0;
  const KnownVersion one = ask_version(home, task.name, static_cast<std::uint64_t>(number));
  const Examples examples = read_all(arguments.texts("data"), task.contract);
  Evaluator evaluator(home, task, examples, arguments.has("json"));
  if (all) {
    print_all(home, following, evaluator);
  } else {
    evaluator.print(one);
  }
  return program::exit_ok;
}

}  // namespace

program::Command evaluate_command() {
  program::Options options;
  options.argument("DIR", "the server's home")
      .argument("TASK", "the task's name")
      .values("data", "FILE", "labelled files of the task's data format, of your own")
      .value("version", "N", "which version; the latest without it")
      .flag("all", "every version that is kept");
  add_following(options).json();
  return {"evaluate", "tests versions on labelled files of the operator's own, a row for each version",
          "fl-server evaluate ~/fl-server har --data test/*.csv\n"
          "fl-server evaluate ~/fl-server har --data test/*.csv --follow --until-round 20",
          options, run};
}

}  // namespace fl::server
