#include "server/program/commands.h"

namespace fl::server {

program::Program fl_server() {
  return {"fl-server",
          "fl-server: trains a general model from what devices learn, without seeing their data.",
          FL_VERSION,
          {init_command(), task_add_command(), task_list_command(), token_command(), key_add_command(),
           key_list_command(), key_remove_command(), run_command(), status_command(), devices_list_command(),
           devices_revoke_command(), rounds_command(), versions_command(), export_command(),
           evaluate_command(), fsck_command(), backup_command(), restore_command(), republish_command()}};
}

}  // namespace fl::server
