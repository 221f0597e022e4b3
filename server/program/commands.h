#pragma once

#include "common/program/command_line.h"

/// fl-server and its commands, one file each.
namespace fl::server {

/// The program with all of its commands.
program::Program fl_server();

program::Command init_command();
program::Command task_add_command();
program::Command task_list_command();
program::Command token_command();
program::Command key_add_command();
program::Command key_list_command();
program::Command key_remove_command();
program::Command run_command();
program::Command status_command();
program::Command devices_list_command();
program::Command devices_revoke_command();
program::Command rounds_command();
program::Command versions_command();
program::Command export_command();
program::Command evaluate_command();
program::Command fsck_command();
program::Command backup_command();
program::Command restore_command();
program::Command republish_command();

}  // namespace fl::server
