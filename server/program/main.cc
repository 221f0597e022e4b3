#include "server/program/commands.h"

int main(int argc, char** argv) {
  return fl::program::run_program(fl::server::fl_server(), argc, argv);
}
