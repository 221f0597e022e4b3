#include <iostream>

#include "server/care/home_copy.h"
#include "server/program/care_progress.h"
#include "server/program/commands.h"

namespace fl::server {
namespace {

using program::Arguments;

int run(const Arguments& arguments) {
  const ServerHome backup = ServerHome::open(arguments.path("BACKUP"));
  const std::string target = arguments.text("DIR");
  HomeReport report;
  {
    CareProgress progress("restoring", 3 * bytes_to_check(backup));
    report = restore_home(backup, target, progress.watch());
  }
  std::cerr << losses_in(report);
  std::cout << "Restored " << target << " from " << arguments.text("BACKUP")
            << " and checked it: " << describe(report) << ".\n"
            << "Next: fl-server run " << target << "\n";
  return program::exit_ok;
}

}  // namespace

program::Command restore_command() {
  return {
      "restore",
      "makes a home of a backup, having checked it",
      "fl-server restore /backup/fl-server-monday ~/fl-server",
      program::Options()
          .argument("BACKUP", "what fl-server backup has made; it stays as it is")
          .argument("DIR", "the home to make; it must be empty or not there"),
      run,
      "The server goes on where it was at the moment of the backup, with the same open round. What devices\n"
      "have got since then, docs/operating.md tells."};
}

}  // namespace fl::server
