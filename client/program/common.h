#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "client/include/fl/device.h"
#include "common/program/arguments.h"
#include "common/program/options.h"

/// What the commands of fl-client share.
namespace fl::client {

/// HOME, first of every command's arguments.
program::Options home_options();
/// --task NAME, which may be left out where the device has just one.
program::Options& task_option(program::Options& options);

/// Opens HOME beside whatever process owns it; damaged models are told of on stderr.
Device open_as_guest(const program::Arguments& arguments);
/// Prints the progress of fetching versions, and what the user should know of, to stderr as "fl-client: ...".
void report_fetching(const AgentEvent& event);
/// "device-7 (kitchen)", or the id alone where the device has no name of its own.
std::string named(const DeviceStatus& status);

/// The task named by --task, or the only one. Throws UsageError naming the tasks there are.
std::string chosen_task(const Device& device, const program::Arguments& arguments);
/// FILES, last of a command's arguments.
program::Options& files_argument(program::Options& options);
/// The values of an argument or option as files.
std::vector<std::filesystem::path> files_of(const program::Arguments& arguments, const std::string& name);

/// What the task calls one example: "windows", "rows", "images", "texts".
std::string examples_name(const TaskContract& contract);

/// "0.8231"
std::string four_digits(double value);

}  // namespace fl::client
