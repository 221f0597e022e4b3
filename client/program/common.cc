#include "client/program/common.h"

#include <cstdio>
#include <iostream>

namespace fl::program {

Options home_options() {
  Options options;
  options.argument("HOME", "the device's folder");
  return options;
}

Options& task_option(Options& options) {
  return options.value("task", "NAME", "which task; may be left out where the device has just one");
}

void warn_of(const AgentEvent& event) {
  using Kind = AgentEvent::Kind;
  if (event.kind == Kind::model_damaged || event.kind == Kind::version_refused ||
      event.kind == Kind::trouble) {
    std::cerr << "fl-client: " << event.sentence << "\n";
  }
}

Device open_as_guest(const Arguments& arguments) {
  return Device::open(arguments.path("HOME"), {.on_event = warn_of, .guest = true});
}

std::string chosen_task(const Device& device, const Arguments& arguments) {
  if (const auto given = arguments.optional_text("task")) return *given;
  const DeviceStatus status = device.status();
  if (status.tasks.size() == 1) return status.tasks.front().task;
  if (status.tasks.empty()) {
    throw Error(ErrorCode::failed_precondition, "the device knows no task yet; 'fl-client sync " +
                                                    arguments.text("HOME") + "' fetches what the server has");
  }
  std::string tasks;
  for (const TaskStatus& each : status.tasks) tasks += (tasks.empty() ? "" : ", ") + each.task;
  throw UsageError("--task is missing: the device has the tasks " + tasks);
}

std::vector<std::filesystem::path> files_of(const Arguments& arguments) {
  std::vector<std::filesystem::path> files;
  if (arguments.has("data")) {
    for (const std::string& file : arguments.texts("data")) files.emplace_back(file);
  }
  if (files.empty()) throw UsageError("FILES are missing: name at least one file with examples");
  return files;
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

}  // namespace fl::program
