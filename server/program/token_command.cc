#include <iostream>
#include <unistd.h>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

constexpr std::int64_t most_hours = 24L * 366;

int run(const Arguments& arguments) {
  boost::json::object request{{"command", "token"},
                              {"hours", arguments.integer("hours", 1, most_hours)},
                              {"count", arguments.integer("count", 1, 10'000)}};
  if (arguments.has("name")) request["name"] = arguments.text("name");
  const boost::json::object answer = ask(ServerHome::open(arguments.path("DIR")), request);
  if (arguments.has("json")) {
    std::cout << boost::json::serialize(
                     boost::json::object{{"tokens", answer.at("tokens")}, {"expires", answer.at("expires")}})
              << "\n";
    return program::exit_ok;
  }
  for (const boost::json::value& token : answer.at("tokens").as_array()) {
    std::cout << token.as_string().c_str() << "\n";
  }
  if (::isatty(STDOUT_FILENO) == 1) {
    std::cout << "Each enrols one device within " << arguments.text("hours")
              << " hours: fl-client enroll HOME --token TOKEN\n";
  }
  return program::exit_ok;
}

}  // namespace

program::Command token_command() {
  return {"token", "makes one-time tokens with which devices enrol",
          "fl-server token ~/fl-server --name kitchen\nfl-server token ~/fl-server --count 20 --hours 72",
          program::Options()
              .argument("DIR", "the server's home")
              .value("name", "NAME", "what to call the device; several are numbered NAME-1, NAME-2, ...")
              .value("count", "K", "how many tokens", "1")
              .value("hours", "H", "how long they may be used", "24")
              .json(),
          run};
}

}  // namespace fl::server
