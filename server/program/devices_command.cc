#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

int list(const Arguments& arguments) {
  program::TextTable table(
      {{"device"}, {"name"}, {"enrolled"}, {"last_seen"}, {"certificate_expires"}, {"revoked"}});
  const boost::json::object answer = ask(ServerHome::open(arguments.path("DIR")), {{"command", "devices"}});
  for (const boost::json::value& device : answer.at("devices").as_array()) {
    table.add({cell_of(device.at("device")), cell_of(device.at("name")), moment_of(device.at("enrolled")),
               moment_of(device.at("last_seen")), moment_of(device.at("certificate_expires")),
               cell_of(device.at("revoked"))});
  }
  if (arguments.has("json")) {
    std::cout << table.json();
  } else if (table.rows() == 0) {
    std::cout << "No device is enrolled; 'fl-server token' makes a token for one\n";
  } else {
    std::cout << table.text();
  }
  return program::exit_ok;
}

int revoke(const Arguments& arguments) {
  const std::string device = arguments.text("ID");
  ask(ServerHome::open(arguments.path("DIR")), {{"command", "device-revoke"}, {"device", device}});
  std::cout << "Revoked " << device << ": the server takes no more connections from it\n";
  return program::exit_ok;
}

}  // namespace

program::Command devices_list_command() {
  return {"devices list", "lists the enrolled devices", "fl-server devices list ~/fl-server",
          program::Options().argument("DIR", "the server's home").json(), list};
}

program::Command devices_revoke_command() {
  return {"devices revoke", "shuts a device out, at once and for good",
          "fl-server devices revoke ~/fl-server d3f9a2c0b17e64d85",
          program::Options()
              .argument("DIR", "the server's home")
              .argument("ID", "the device, as 'fl-server devices list' names it"),
          revoke};
}

}  // namespace fl::server
