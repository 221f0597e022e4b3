#pragma once

#include "common/program/command_line.h"

/// The commands of fl-client, each in a file of its own.
namespace fl::client {

program::Command enroll_command();
program::Command import_command();
program::Command run_command();
program::Command serve_command();
program::Command predict_command();
program::Command status_command();
program::Command baseline_command();
program::Command sync_command();
program::Command demo_data_command();

}  // namespace fl::client
