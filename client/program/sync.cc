#include <iostream>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "common/program/text_table.h"

namespace fl::program {
namespace {

void report(const AgentEvent& event) {
  if (event.kind == AgentEvent::Kind::fetching || event.kind == AgentEvent::Kind::model_damaged) {
    std::cerr << "fl-client: " << event.sentence << "\n";
  }
}

int sync(const Arguments& arguments) {
  Device device = Device::open(arguments.path("HOME"), {.on_event = report, .train = false});
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

}  // namespace fl::program
