#include <iostream>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "common/program/text_table.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;
using program::TextTable;

int sync(const Arguments& arguments) {
  Device device = Device::open(arguments.path("HOME"), {.on_event = report_fetching, .train = false});
  device.sync();
  TextTable table({{"task"}, {"version"}});
  for (const TaskStatus& task : device.status().tasks) {
    table.add({task.task, static_cast<std::int64_t>(task.version)});
  }
  std::cout << (arguments.has("json") ? table.json() : table.text());
  return exit_ok;
}

}  // namespace

Command sync_command() {
  Options options = home_options();
  options.json();
  return {"sync", "fetch the newest version of every task once, and exit", "fl-client sync /var/lib/fl",
          options, sync};
}

}  // namespace fl::client
