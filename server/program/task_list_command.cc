#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

int run(const Arguments& arguments) {
  const boost::json::object answer = ask(ServerHome::open(arguments.path("DIR")), {{"command", "tasks"}});
  program::TextTable table({{"task"},
                            {"version"},
                            {"parameters"},
                            {"data"},
                            {"loss"},
                            {"strategy"},
                            {"goal"},
                            {"rounds"},
                            {"created"},
                            {"round"}});
  for (const boost::json::value& task : answer.at("tasks").as_array()) {
    table.add({cell_of(task.at("task")), cell_of(task.at("version")), cell_of(task.at("parameters")),
               cell_of(task.at("data")), cell_of(task.at("loss")), cell_of(task.at("strategy")),
               cell_of(task.at("goal")), cell_of(task.at("rounds")), moment_of(task.at("created")),
               cell_of(task.at("round"))});
  }
  if (arguments.has("json")) {
    std::cout << table.json();
  } else {
    std::cout << (table.rows() == 0 ? "There are no tasks; 'fl-server task add' adds one\n" : table.text());
  }
  return program::exit_ok;
}

}  // namespace

program::Command task_list_command() {
  return {"task list", "lists the tasks", "fl-server task list ~/fl-server",
          program::Options().argument("DIR", "the server's home").json(), run};
}

}  // namespace fl::server
