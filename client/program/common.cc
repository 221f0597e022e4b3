#include "client/program/common.h"

#include <cstdio>
#include <iostream>

namespace fl::client {
namespace {

using program::Arguments;
using program::Options;
using program::UsageError;

using Kind = AgentEvent::Kind;

void print(const AgentEvent& event) {
  std::cerr << "fl-client: " << event.sentence << "\n";
}

/// What is wrong, or not as the user may expect; of training a guest hears only the latter.
void warn_of(const AgentEvent& event) {
  if (event.kind == Kind::model_damaged || event.kind == Kind::trouble || event.kind == Kind::training) {
    print(event);
  }
}

}  // namespace

Options home_options() {
  Options options;
  options.argument("HOME", "the device's folder");
  return options;
}

Options& task_option(Options& options) {
  return options.value("task", "NAME", "which task; may be left out where the device has just one");
}

Options& files_argument(Options& options) {
  return options.arguments("FILES", "the files, in the format of the task");
}

void report_fetching(const AgentEvent& event) {
  if (event.kind == Kind::fetching) print(event);
  warn_of(event);
}

Device open_as_guest(const Arguments& arguments) {
  return Device::open(arguments.path("HOME"), {.on_event = warn_of, .guest = true});
}

std::string named(const DeviceStatus& status) {
  return status.name.empty() ? status.id : status.id + " (" + status.name + ")";
}

std::string chosen_task(const Device& device, const Arguments& arguments) {
  if (const auto given = arguments.optional_text("task")) return *given;
  const std::vector<std::string> known = device.tasks();
  if (known.size() == 1) return known.front();
  if (known.empty()) {
    throw Error(ErrorCode::failed_precondition, "the device knows no task yet; 'fl-client sync " +
                                                    arguments.text("HOME") + "' fetches what the server has");
  }
  std::string tasks;
  for (const std::string& each : known) tasks += (tasks.empty() ? "" : ", ") + each;
  throw UsageError("--task is missing: the device has the tasks " + tasks);
}

std::vector<std::filesystem::path> files_of(const Arguments& arguments, const std::string& name) {
  const std::vector<std::string> files = arguments.texts(name);
  return {files.begin(), files.end()};
}

std::string examples_name(const TaskContract& contract) {
  switch (contract.data.format) {
    case DataFormat::windows:
      return "windows";
    case DataFormat::table:
      return "rows";
    case DataFormat::images:
      return "images";
    case DataFormat::text:
      return "texts";
  }
  return "examples";
}

std::string four_digits(double value) {
  std::string text(32, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.4f", value)));
  return text;
}

}  // namespace fl::client
