#include "common/program/command_line.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <span>
#include <string_view>

#include "common/program/nearest.h"

namespace fl::program {
namespace {

using Tokens = std::span<const std::string>;

bool asks_for_help(const std::string& token) {
  return token == "--help" || token == "-h";
}

std::string overview(const Program& program) {
  std::string text = program.summary + "\n\nUsage: " + program.name + " COMMAND ...\n\nCommands:\n";
  std::size_t width = 0;
  for (const Command& command : program.commands) width = std::max(width, command.name.size());
  for (const Command& command : program.commands) {
    text += "  " + command.name + std::string(width + 2 - command.name.size(), ' ') + command.summary + "\n";
  }
  return text + "\n'" + program.name + " COMMAND --help' tells more about a command and shows an example.\n";
}

std::string help_of(const Program& program, const Command& command) {
  std::string text = program.name + " " + command.name + ": " + command.summary +
                     "\n\nUsage: " + program.name + " " + command.name + " " + command.options.usage() +
                     "\n\n" + (command.details.empty() ? "" : command.details + "\n\n") +
                     command.options.help() + "\nExample:\n";
  std::string_view rest = command.example;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    text += "  " + std::string(rest.substr(0, end)) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

std::size_t words_of(const Command& command) {
  return command.name.find(' ') == std::string::npos ? 1 : 2;
}

/// The command that the first one or two tokens name; null where there is none.
const Command* find_command(const Program& program, Tokens tokens) {
  for (const std::size_t words : {std::size_t{2}, std::size_t{1}}) {
    if (tokens.size() < words) continue;
    const std::string name = words == 2 ? tokens[0] + " " + tokens[1] : tokens[0];
    for (const Command& command : program.commands) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

[[noreturn]] void refuse_command(const Program& program, Tokens tokens) {
  std::vector<std::string> names;
  std::string group;
  for (const Command& command : program.commands) {
    names.push_back(command.name);
    if (command.name.starts_with(tokens[0] + " ")) group += (group.empty() ? "" : ", ") + command.name;
  }
  const std::string both = tokens.size() > 1 ? tokens[0] + " " + tokens[1] : tokens[0];
  if (!group.empty()) {
    throw UsageError("unknown command '" + both + "'; there are: " + group);
  }
  const std::string typed = nearest(tokens[0], names).empty() ? both : tokens[0];
  throw UsageError("unknown command '" + tokens[0] + "'" + did_you_mean(typed, names) + " '" + program.name +
                   " --help' lists the commands");
}

int run_command(const Program& program, Tokens tokens) {
  if (tokens.empty()) {
    std::cerr << overview(program);
    return exit_wrong_usage;
  }
  const bool help_first = tokens[0] == "help" || asks_for_help(tokens[0]);
  if (tokens[0] == "--version") {
    std::cout << program.name << " " << program.version << "\n";
    return exit_ok;
  }
  if (help_first) tokens = tokens.subspan(1);
  if (tokens.empty()) {
    std::cout << overview(program);
    return exit_ok;
  }
  const Command* command = find_command(program, tokens);
  if (command == nullptr) refuse_command(program, tokens);
  const Tokens rest = tokens.subspan(words_of(*command));
  if (help_first || std::any_of(rest.begin(), rest.end(), asks_for_help)) {
    std::cout << help_of(program, *command);
    return exit_ok;
  }
  try {
    return command->run(parse(command->options, rest));
  } catch (const UsageError& error) {
    throw UsageError(std::string(error.what()) + "\n'" + program.name + " " + command->name +
                     " --help' shows what is right");
  }
}

int report(const Program& program, std::string_view sentence, int status) {
  std::cout.flush();
  std::cerr << program.name << ": error: " << sentence << "\n";
  return status;
}

}  // namespace

int run_program(const Program& program, int argc, const char* const* argv) {
  const std::vector<std::string> tokens(argv + std::min(argc, 1), argv + argc);
  try {
    const int status = run_command(program, tokens);
    std::cout.flush();
    if (!std::cout) return report(program, "the output could not be written", exit_failed);
    return status;
  } catch (const Error& error) {
    const bool usage = error.code() == ErrorCode::invalid_argument;
    return report(program, error.what(), usage ? exit_wrong_usage : exit_failed);
  } catch (const std::exception& error) {
    return report(program, std::string("a defect of this program: ") + error.what(), exit_failed);
  }
}

}  // namespace fl::program
