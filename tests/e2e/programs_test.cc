#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "tests/e2e/federation.h"
#include "tests/e2e/refusals.h"

using namespace fl::test;

namespace {

bool names_libtorch(const std::string& files) {
  return contains(files, "libtorch") || contains(files, "libc10") || contains(files, "fl-engine-torch");
}

/// What the dynamic linker opens for a command, and what the command says.
std::string opened_by(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"LD_DEBUG=files", program_path(program).string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const Ended ended = Process("/usr/bin/env", words).wait();
  CHECK(ended.exit_code == 0);
  CHECK(contains(ended.errors, "libssl"));
  return ended.errors;
}

std::string mapped_by(const Process& process) {
  std::ifstream maps("/proc/" + std::to_string(process.id()) + "/maps");
  std::ostringstream text;
  text << maps.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("status commands and a server that has aggregated a round have not loaded libtorch") {
  Federation::Settings settings;
  settings.rounds = 1;
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.wait_for_version(2);
  const std::string maps = mapped_by(federation.server());
  CHECK(contains(maps, "libssl"));
  CHECK(!names_libtorch(maps));
  CHECK(names_libtorch(mapped_by(federation.device(0))));
  const std::string home = federation.device_home(0).string();
  CHECK(!names_libtorch(opened_by("fl-client", {"status", home})));
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"status"}, {"task", "list"}, {"devices", "list"}, {"token"}}) {
    std::vector<std::string> words = command;
    words.push_back(federation.server_home().string());
    CHECK(!names_libtorch(opened_by("fl-server", words)));
  }
}

TEST_CASE("the status of a running server tells its process and how many devices there are") {
  Federation federation({});
  federation.start_server();
  federation.enrol_with(0, {});
  federation.start_device(0);
  federation.device(0).wait_for_line("connected to");
  const std::vector<std::string> command = {"status", federation.server_home().string()};
  const std::string status = output_of("fl-server", command);
  CAPTURE(status);
  CHECK(contains(status, "runs as process " + std::to_string(federation.server().id()) + " for "));
  CHECK(contains(status, "1 device is enrolled, 1 connected"));
  CHECK(federation.stop_server().exit_code == 0);
  CHECK(contains(output_of("fl-server", command), "does not run"));
}

TEST_CASE("every command of fl-client has help with an example") {
  std::istringstream overview(output_of("fl-client", {"--help"}));
  std::size_t commands = 0;
  for (std::string line; std::getline(overview, line);) {
    if (!line.starts_with("  ")) continue;
    const std::string command = line.substr(2, line.find(' ', 2) - 2);
    CAPTURE(command);
    CHECK(contains(output_of("fl-client", {command, "--help"}), "Example:\n  fl-client " + command + " "));
    ++commands;
  }
  CHECK(commands > 0);
}
