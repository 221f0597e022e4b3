#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

void list(const ServerHome& home, bool as_json) {
  program::TextTable table(
      {{"device"}, {"name"}, {"enrolled"}, {"last_seen"}, {"certificate_expires"}, {"revoked"}});
  const boost::json::object answer = ask(home, {{"command", "devices"}});
  for (const boost::json::value& device : answer.at("devices").as_array()) {
    table.add({cell_of(device.at("device")), cell_of(device.at("name")), moment_of(device.at("enrolled")),
               moment_of(device.at("last_seen")), moment_of(device.at("certificate_expires")),
               cell_of(device.at("revoked"))});
  }
  if (as_json) {
    std::cout << table.json();
  } else if (table.rows() == 0) {
    std::cout << "No device is enrolled; 'fl-server token' makes a token for one\n";
  } else {
    std::cout << table.text();
  }
}

void revoke(const ServerHome& home, const std::string& device) {
  ask(home, {{"command", "device-revoke"}, {"device", device}});
  std::cout << "Revoked " << device << ": the server takes no more connections from it\n";
}

int run(const Arguments& arguments) {
  const std::string action = arguments.optional_text("ACTION").value_or("list");
  if (action != "list" && action != "revoke") {
    throw program::UsageError("'" + action + "' is neither list nor revoke");
  }
  if (action == "list" && arguments.has("ID")) {
    throw program::UsageError("'" + arguments.text("ID") + "' is one argument too many: list takes none");
  }
  if (action == "revoke" && !arguments.has("ID")) {
    throw program::UsageError("ID is missing: the device to revoke, as 'devices DIR' lists it");
  }
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  if (action == "list") list(home, arguments.has("json"));
  if (action == "revoke") revoke(home, arguments.text("ID"));
  return program::exit_ok;
}

}  // namespace

program::Command devices_command() {
  return {"devices", "lists the enrolled devices, or revokes one at once",
          "fl-server devices ~/fl-server\nfl-server devices ~/fl-server revoke d-3f9a2c",
          program::Options()
              .argument("DIR", "the server's home")
              .optional_argument("ACTION", "list (what is done without it) or revoke")
              .optional_argument("ID", "the device to revoke")
              .json(),
          run};
}

}  // namespace fl::server
