#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

std::string number(const boost::json::value& value) {
  return std::to_string(value.to_number<std::int64_t>());
}

/// "1 device is", "2 devices are".
std::string devices_are(const boost::json::value& count) {
  return number(count) + (count.to_number<std::int64_t>() == 1 ? " device is" : " devices are");
}

void print(const boost::json::object& status) {
  std::cout << "fl-server " << status.at("version").as_string().c_str();
  if (status.at("running").as_bool()) {
    const double seconds = status.at("uptime_ms").to_number<double>() / 1000.0;
    std::cout << " runs as process " << number(status.at("pid")) << " for "
              << program::readable_seconds(seconds) << " and listens on "
              << status.at("listen").as_string().c_str() << "\n"
              << devices_are(status.at("devices")) << " enrolled, " << number(status.at("connections"))
              << " connected\n";
  } else {
    std::cout << " does not run; 'fl-server run " << status.at("home").as_string().c_str() << "' starts it\n"
              << devices_are(status.at("devices")) << " enrolled\n";
  }
  program::TextTable tasks({{"task"}, {"version"}, {"round"}});
  for (const boost::json::value& task : status.at("tasks").as_array()) {
    tasks.add({cell_of(task.at("task")), cell_of(task.at("version")), cell_of(task.at("round"))});
  }
  std::cout << (tasks.rows() == 0 ? "There are no tasks; 'fl-server task add' adds one\n"
                                  : "\n" + tasks.text());
}

int run(const Arguments& arguments) {
  boost::json::object status = ask(ServerHome::open(arguments.path("DIR")), {{"command", "status"}});
  if (arguments.has("json")) {
    status.erase("ok");
    std::cout << boost::json::serialize(status) << "\n";
  } else {
    print(status);
  }
  return program::exit_ok;
}

}  // namespace

program::Command status_command() {
  return {"status", "tells whether the server runs and how its tasks stand", "fl-server status ~/fl-server",
          program::Options().argument("DIR", "the server's home").json(), run};
}

}  // namespace fl::server
