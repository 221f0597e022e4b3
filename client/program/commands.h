#pragma once

#include "common/program/command_line.h"

/// The commands of fl-client, each in a file of its own.
namespace fl::program {

Command enroll_command();
Command import_command();
Command run_command();
Command predict_command();
Command status_command();
Command baseline_command();
Command sync_command();
Command demo_data_command();

}  // namespace fl::program
