#include <algorithm>
#include <array>
#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;
using program::Cell;
using program::Column;

/// What is shown of an evaluation: a key, or a spread's key and one of its own.
struct Figure {
  const char* column;
  const char* key;
  const char* part = nullptr;
};

constexpr std::array own_figures{Figure{"evaluation", "state"}, Figure{"devices", "devices"},
                                 Figure{"examples", "examples"}};
/// For programs; eyes are shown the mean and a tenth of the devices at either end.
constexpr std::array every_figure{Figure{"loss", "loss"},
                                  Figure{"loss_min", "loss_spread", "min"},
                                  Figure{"loss_p10", "loss_spread", "p10"},
                                  Figure{"loss_p50", "loss_spread", "p50"},
                                  Figure{"loss_p90", "loss_spread", "p90"},
                                  Figure{"loss_max", "loss_spread", "max"},
                                  Figure{"accuracy", "accuracy"},
                                  Figure{"accuracy_min", "accuracy_spread", "min"},
                                  Figure{"accuracy_p10", "accuracy_spread", "p10"},
                                  Figure{"accuracy_p50", "accuracy_spread", "p50"},
                                  Figure{"accuracy_p90", "accuracy_spread", "p90"},
                                  Figure{"accuracy_max", "accuracy_spread", "max"}};
constexpr std::array figures_for_eyes{Figure{"loss", "loss"},
                                      Figure{"loss_p10", "loss_spread", "p10"},
                                      Figure{"loss_p90", "loss_spread", "p90"},
                                      Figure{"accuracy", "accuracy"},
                                      Figure{"accuracy_p10", "accuracy_spread", "p10"},
                                      Figure{"accuracy_p90", "accuracy_spread", "p90"}};

/// The figures to show: none for eyes where no version was evaluated.
std::vector<Figure> figures_of(const std::vector<KnownVersion>& versions, bool as_json) {
  const bool evaluated = std::any_of(versions.begin(), versions.end(), [](const KnownVersion& version) {
    return !version.evaluation.is_null();
  });
  if (!evaluated && !as_json) return {};
  std::vector<Figure> figures(own_figures.begin(), own_figures.end());
  if (as_json) {
    figures.insert(figures.end(), every_figure.begin(), every_figure.end());
  } else {
    figures.insert(figures.end(), figures_for_eyes.begin(), figures_for_eyes.end());
  }
  return figures;
}

Cell cell_of(const boost::json::value& evaluation, const Figure& figure) {
  if (evaluation.is_null()) return std::monostate{};
  const boost::json::value& value = evaluation.at(figure.key);
  if (figure.part == nullptr || value.is_null()) return server::cell_of(value);
  return server::cell_of(value.at(figure.part));
}

int run(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const bool as_json = arguments.has("json");
  const std::vector<KnownVersion> versions = ask_versions(home, arguments.text("TASK"), 0);
  const std::vector<Figure> figures = figures_of(versions, as_json);
  std::vector<Column> columns{{"version"}, {"round"}, {"published"}};
  for (const Figure& figure : figures) columns.push_back({figure.column});
  columns.push_back({"weights"});
  columns.push_back({"pruned"});
  program::TextTable table(columns);
  for (const KnownVersion& version : versions) {
    std::vector<Cell> cells{static_cast<std::int64_t>(version.version),
                            static_cast<std::int64_t>(version.round), moment_of(version.published)};
    for (const Figure& figure : figures) cells.push_back(cell_of(version.evaluation, figure));
    cells.emplace_back(version.weights.hex());
    cells.emplace_back(version.pruned);
    table.add(std::move(cells));
  }
  std::cout << (as_json ? table.json() : table.text());
  return program::exit_ok;
}

}  // namespace

program::Command versions_command() {
  return {"versions",
          "lists a task's versions, how devices evaluated them, and the hashes of their weights",
          "fl-server versions ~/fl-server har",
          program::Options().argument("DIR", "the server's home").argument("TASK", "the task's name").json(),
          run,
          "Where the task says so (evaluation.every), devices evaluate versions on examples they hold back.\n"
          "Loss and accuracy are means over all these examples; loss_p10 and so on are of the devices' own\n"
          "means, the one below which a tenth of them is. --json also has the least, the middle, nine\n"
          "tenths and the greatest."};
}

}  // namespace fl::server
