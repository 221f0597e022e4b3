#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/program/arguments.h"
#include "common/program/options.h"

/// What the command-line programs share: a table of commands, each with its options, help and example.
namespace fl::program {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_wrong_usage = 2;

/// One command of a program.
struct Command {
  std::string name;     ///< One word or two: "status", "task add".
  std::string summary;  ///< A short line for the list of commands.
  std::string example;  ///< One or more lines of shell, for the help.
  Options options;
  std::function<int(const Arguments&)> run;  ///< Returns the exit status; may throw Error.
  std::string details = {};  ///< Whole lines that the help shows before the options, for what they print.
};

struct Program {
  std::string name;     ///< "fl-server"
  std::string summary;  ///< What it is, in a sentence.
  std::string version;
  std::vector<Command> commands;
};

/// A program's main(). Finds the command and runs it; answers --help and --version itself. Every failure is
/// printed to stderr as "NAME: error: SENTENCE" and becomes the exit status: exit_wrong_usage for an unknown
/// command or option, a wrong value and any Error(invalid_argument); exit_failed for all others, and where
/// stdout could not be written.
int run_program(const Program& program, int argc, const char* const* argv);

}  // namespace fl::program
