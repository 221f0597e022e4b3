#include <iostream>

#include "common/base/clock.h"
#include "server/home/server_home.h"
#include "server/program/commands.h"
#include "server/registry/registry.h"

namespace fl::server {
namespace {

using program::Arguments;

int run(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const std::string task = arguments.text("TASK");
  const auto above = static_cast<std::uint64_t>(arguments.integer("above", 1));
  const FileDescriptor lock = home.lock();
  Ledger ledger(home.ledger_path());
  BlobStore blobs(home.blobs_path());
  Registry registry(ledger, blobs, home.signing_key());
  const std::uint64_t newest = registry.publish_again(task, above + 1, SystemClock().now()).version;
  std::cout << "The newest version of " << task << " is version " << newest
            << " now, with the weights it had; devices that hold one up to " << above << " will accept it.\n";
  return program::exit_ok;
}

}  // namespace

program::Command republish_command() {
  return {"republish",
          "publishes a task's newest version again under a higher number, after an older backup was restored",
          "fl-server republish ~/fl-server har --above 41",
          program::Options()
              .argument("DIR", "the server's home; no server runs in it")
              .argument("TASK", "the task's name")
              .value("above", "N", "the newest version that any device holds, as fl-client status tells"),
          run,
          "A device accepts no version older than one it has accepted, and trains from none. The weights "
          "stay as\n"
          "they are, and an open round goes on."};
}

}  // namespace fl::server
