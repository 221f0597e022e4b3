#include <iostream>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "common/program/text_table.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Cell;
using program::Command;
using program::exit_ok;
using program::Options;
using program::TextTable;

TextTable table_of(const DeviceStatus& status) {
  TextTable table({{"task"}, {"version"}, {"training"}, {"held_out"}, {"accuracy"}, {"loss"}});
  for (const TaskStatus& task : status.tasks) {
    Cell accuracy;
    Cell loss;
    if (task.held_out) loss = task.held_out->loss;
    if (task.held_out && task.held_out->accuracy) accuracy = *task.held_out->accuracy;
    table.add({task.task, static_cast<std::int64_t>(task.version),
               static_cast<std::int64_t>(task.training_examples),
               static_cast<std::int64_t>(task.held_out_examples), accuracy, loss});
  }
  return table;
}

int status(const Arguments& arguments) {
  const Device device = open_as_guest(arguments);
  const DeviceStatus status = device.status();
  const TextTable table = table_of(status);
  const std::string expires = program::readable_moment(status.certificate_expires);
  if (arguments.has("json")) {
    std::string row = TextTable({{"device"}, {"name"}, {"server"}, {"certificate_expires"}})
                          .row_json({status.id, status.name, status.server, expires});
    row.erase(row.rfind('}'));
    std::string tasks = table.json();
    tasks.erase(tasks.find_last_not_of('\n') + 1);
    std::cout << row << ",\"tasks\":" << tasks << "}\n";
    return exit_ok;
  }
  std::cout << "device " << named(status) << ", server " << status.server << ", certificate until " << expires
            << "\n";
  if (table.rows() == 0) {
    std::cout << "no task has come yet; 'fl-client sync' or 'fl-client run' fetches what the server has\n";
  } else {
    std::cout << table.text();
  }
  return exit_ok;
}

}  // namespace

Command status_command() {
  Options options = home_options();
  options.json();
  return {"status", "what the device has: tasks, versions, examples", "fl-client status /var/lib/fl", options,
          status};
}

}  // namespace fl::client
