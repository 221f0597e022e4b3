#include <iostream>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "common/base/files.h"
#include "common/program/text_table.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;
using program::TextTable;
using program::UsageError;

constexpr std::size_t token_file_bytes = 4096;

std::string token_of(const Arguments& arguments) {
  const bool is_text = arguments.has("token");
  if (is_text == arguments.has("token-file")) {
    throw UsageError("give the operator's token, either as --token TEXT or in --token-file FILE");
  }
  return is_text ? arguments.text("token") : read_text_file(arguments.path("token-file"), token_file_bytes);
}

/// Why the versions could not be fetched, or "". A device that has enrolled stays enrolled.
std::string fetch_versions(Device& device) {
  try {
    device.sync();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void print(const Device& device, const std::filesystem::path& home, bool as_json) {
  const DeviceStatus status = device.status();
  TextTable table({{"task"}, {"version"}});
  for (const TaskStatus& task : status.tasks) table.add({task.task, static_cast<std::int64_t>(task.version)});
  if (as_json) {
    std::cout << TextTable({{"device"}, {"name"}, {"server"}, {"home"}})
                     .row_json({status.id, status.name, status.server, home.string()});
    return;
  }
  std::cout << "enrolled as " << named(status) << " with " << status.server << "\n";
  for (const TaskStatus& task : status.tasks) {
    std::cout << "fetched version " << task.version << " of " << task.task << "\n";
  }
  std::cout << "next: fl-client import " << home.string() << " FILES..., then fl-client run " << home.string()
            << "\n";
}

int enroll(const Arguments& arguments) {
  const std::filesystem::path home = arguments.path("HOME");
  const std::string token = token_of(arguments);
  // Without a name of its own the device takes the one that the operator gave to the token.
  const std::string name = arguments.optional_text("name").value_or("");
  Device device = Device::enrol(home, token, name, {.on_event = report_fetching});
  const std::string failure = fetch_versions(device);
  print(device, home, arguments.has("json"));
  if (!failure.empty()) {
    std::cerr << "fl-client: the device is enrolled, but the server's versions could not be fetched: "
              << failure << "; 'fl-client sync " << home.string() << "' tries again\n";
  }
  return exit_ok;
}

}  // namespace

Command enroll_command() {
  Options options = home_options();
  options.value("token", "TEXT", "the operator's one-time token, from 'fl-server token'")
      .value("token-file", "FILE", "a file that holds the token")
      .value("name", "NAME", "what the operator sees (default: the token's name)")
      .json();
  return {"enroll", "join a federation: make HOME with a key and a certificate of its own",
          "fl-client enroll /var/lib/fl --token fl1:AbC... --name kitchen", options, enroll};
}

}  // namespace fl::client
