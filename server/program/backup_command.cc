#include <iostream>

#include "server/care/home_copy.h"
#include "server/program/care_progress.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

int run(const Arguments& arguments) {
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const std::string target = arguments.text("TARGET");
  HomeReport report;
  {
    CareProgress progress("copying", 2 * bytes_to_check(home));
    report = copy_home(home, target, progress.watch());
  }
  std::cerr << losses_in(report);
  std::cout << "Copied " << arguments.text("DIR") << " to " << target
            << " and checked the copy: " << describe(report) << ".\n"
            << "It holds the keys that devices trust: keep it as secret as the home.\n"
            << "To put it back: fl-server restore " << target << " DIR\n";
  return program::exit_ok;
}

}  // namespace

program::Command backup_command() {
  return {"backup",
          "makes a consistent, checked copy of a home, also while its server runs",
          "fl-server backup ~/fl-server /backup/fl-server-monday",
          program::Options()
              .argument("DIR", "the server's home")
              .argument("TARGET", "the folder to make; it must be empty or not there"),
          run,
          "The copy holds everything: settings, keys, the ledger as it is at one moment, and the models and\n"
          "updates it refers to. It grows in TARGET.part and gets its name when it is whole; one that was\n"
          "interrupted goes on where it was."};
}

}  // namespace fl::server
