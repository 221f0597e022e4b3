#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

int run(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  program::TextTable table({{"version"}, {"round"}, {"published"}, {"weights"}});
  for (const KnownVersion& version : ask_versions(home, arguments.text("TASK"), 0)) {
    table.add({static_cast<std::int64_t>(version.version), static_cast<std::int64_t>(version.round),
               moment_of(version.published), version.weights.hex()});
  }
  std::cout << (arguments.has("json") ? table.json() : table.text());
  return program::exit_ok;
}

}  // namespace

program::Command versions_command() {
  return {"versions", "lists a task's versions and the hashes of their weights",
          "fl-server versions ~/fl-server har",
          program::Options().argument("DIR", "the server's home").argument("TASK", "the task's name").json(),
          run};
}

}  // namespace fl::server
