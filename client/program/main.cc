#include <string>
#include <vector>

#include "client/program/commands.h"
#include "client/program/words.h"
#include "common/program/command_line.h"

namespace fl::program {
namespace {

int run(const std::vector<std::string>& words) {
  const Program program{
      "fl-client",
      "fl-client is a device of a federation: it predicts locally and learns from its own data.",
      FL_VERSION,
      {enroll_command(), import_command(), run_command(), predict_command(), status_command(),
       baseline_command(), sync_command(), demo_data_command()}};
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  return run_program(program, static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace
}  // namespace fl::program

int main(int argc, char** argv) {
  return fl::program::run(fl::program::with_named_files({argv, argv + argc}));
}
