#include "common/program/command_line.h"

int main(int argc, char** argv) {
  const fl::program::Program program{"fl-client", "A device of a federation.", "0.1.0", {}};
  return fl::program::run_program(program, argc, argv);
}
