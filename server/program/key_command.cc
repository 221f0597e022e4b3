#include <iostream>
#include <unistd.h>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

/// Where the server answers to keys, and what to do where it does not.
std::string where(const ServerHome& home) {
  const auto& inference = home.config().inference;
  if (!inference)
    return "The server answers no predictions: set 'inference' in fl-server.ini and start it again\n";
  const net::Endpoint endpoint{home.config().public_host, inference->port};
  return "curl --cacert " + (home.folder() / "authority.pem").string() +
         " -H 'Authorization: Bearer KEY' https://" + endpoint.text() + "/v2/models/TASK\n";
}

int add(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  boost::json::object request{{"command", "key-add"},
                              {"name", arguments.text("NAME")},
                              {"per_minute", arguments.integer("per-minute", 1)}};
  if (arguments.has("task")) {
    std::string tasks;
    for (const std::string& task : arguments.texts("task")) tasks += (tasks.empty() ? "" : ",") + task;
    request["tasks"] = tasks;
  }
  const boost::json::object answer = ask(home, request);
  if (arguments.has("json")) {
    std::cout << boost::json::serialize(boost::json::object{{"key", answer.at("key")}}) << "\n";
    return program::exit_ok;
  }
  std::cout << answer.at("key").as_string().c_str() << "\n";
  if (::isatty(STDOUT_FILENO) == 1)
    std::cout << "This is shown once; the server keeps its hash. It holds within a second:\n" << where(home);
  return program::exit_ok;
}

int list(const Arguments& arguments) {
  program::TextTable table({{"name"}, {"tasks"}, {"per_minute"}, {"created"}});
  const boost::json::object answer = ask(ServerHome::open(arguments.path("DIR")), {{"command", "keys"}});
  for (const boost::json::value& key : answer.at("keys").as_array()) {
    std::string tasks;
    for (const boost::json::value& task : key.at("tasks").as_array())
      tasks += (tasks.empty() ? "" : ",") + std::string(task.as_string());
    table.add({cell_of(key.at("name")), tasks.empty() ? "all" : tasks, cell_of(key.at("per_minute")),
               moment_of(key.at("created"))});
  }
  if (arguments.has("json")) {
    std::cout << table.json();
  } else if (table.rows() == 0) {
    std::cout << "There is no key, and predictions are not answered; 'fl-server key add' makes one\n";
  } else {
    std::cout << table.text();
  }
  return program::exit_ok;
}

int remove(const Arguments& arguments) {
  const std::string name = arguments.text("NAME");
  ask(ServerHome::open(arguments.path("DIR")), {{"command", "key-remove"}, {"name", name}});
  std::cout << "Removed " << name << ": within a second nobody is answered who shows it\n";
  return program::exit_ok;
}

}  // namespace

program::Command key_add_command() {
  return {"key add", "makes a key with which an app asks the server for predictions",
          "fl-server key add ~/fl-server shop --task motion --per-minute 600",
          program::Options()
              .argument("DIR", "the server's home")
              .argument("NAME", "what to call it: a-z, 0-9, '_' and '-'")
              .values("task", "TASK", "whose model it is for; without, those of all tasks")
              .value("per-minute", "N", "requests for predictions in a minute, at most", "6000")
              .json(),
          add};
}

program::Command key_list_command() {
  return {"key list", "lists who may ask for predictions", "fl-server key list ~/fl-server",
          program::Options().argument("DIR", "the server's home").json(), list};
}

program::Command key_remove_command() {
  return {"key remove", "shuts out who shows this key", "fl-server key remove ~/fl-server shop",
          program::Options()
              .argument("DIR", "the server's home")
              .argument("NAME", "the key, as 'fl-server key list' names it"),
          remove};
}

}  // namespace fl::server
