#include <iostream>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "common/program/progress.h"
#include "common/program/text_table.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;
using program::Progress;
using program::TextTable;

int import(const Arguments& arguments) {
  Device device = open_as_guest(arguments);
  const std::string task = chosen_task(device, arguments);
  const std::vector<std::filesystem::path> files = files_of(arguments, "FILES");
  const std::string what = examples_name(device.contract(task));
  std::uint64_t read = 0;
  std::uint64_t fresh = 0;
  {
    Progress progress("importing");
    fresh = device.import_files(task, files, [&](std::uint64_t examples, const std::string& where) {
      read = examples;
      progress.update(static_cast<double>(examples), 0, where);
    });
  }
  if (arguments.has("json")) {
    std::cout << TextTable({{"task"}, {"read"}, {"new"}})
                     .row_json({task, static_cast<std::int64_t>(read), static_cast<std::int64_t>(fresh)});
  } else {
    std::cout << "imported " << fresh << " " << what << " for " << task;
    if (fresh < read) std::cout << " (" << read - fresh << " were there already)";
    std::cout << "; they stay on this device\n";
  }
  return exit_ok;
}

}  // namespace

Command import_command() {
  Options options = home_options();
  task_option(files_argument(options)).json();
  return {"import", "keep examples from files for training, on this device alone",
          "fl-client import /var/lib/fl --task har monday.csv tuesday.csv", options, import};
}

}  // namespace fl::client
