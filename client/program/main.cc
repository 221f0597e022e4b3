#include "client/program/commands.h"
#include "common/program/command_line.h"

namespace fl::client {
namespace {

program::Program fl_client() {
  return {"fl-client",
          "fl-client is a device of a federation: it predicts locally and learns from its own data.",
          FL_VERSION,
          {enroll_command(), import_command(), run_command(), serve_command(), predict_command(),
           status_command(), baseline_command(), sync_command(), demo_data_command()}};
}

}  // namespace
}  // namespace fl::client

int main(int argc, char** argv) {
  return fl::program::run_program(fl::client::fl_client(), argc, argv);
}
