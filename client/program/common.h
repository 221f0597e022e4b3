#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "client/include/fl/device.h"
#include "common/program/arguments.h"
#include "common/program/options.h"

/// What the commands of fl-client share.
namespace fl::program {

/// HOME, first of every command's arguments.
Options home_options();
/// --task NAME, which may be left out where the device has just one.
Options& task_option(Options& options);

/// Opens HOME beside whatever process owns it; damaged models are told of on stderr.
Device open_as_guest(const Arguments& arguments);
/// Prints an event that the user should know of to stderr, as "fl-client: ...".
void warn_of(const AgentEvent& event);

/// The task named by --task, or the only one. Throws UsageError naming the tasks there are.
std::string chosen_task(const Device& device, const Arguments& arguments);
/// The values of --data as files. Throws UsageError where there are none.
std::vector<std::filesystem::path> files_of(const Arguments& arguments);

/// What the task calls one example: "windows", "rows", "images", "texts".
std::string examples_name(const TaskContract& contract);

/// "0.8231"
std::string four_digits(double value);

}  // namespace fl::program
