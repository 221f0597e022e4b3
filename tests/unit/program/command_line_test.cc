#include "common/program/command_line.h"

#include <iostream>
#include <sstream>

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::program;

namespace {

/// What a program printed and ended with. Takes std::cout and std::cerr for as long as it runs.
struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

Program sample() {
  Program program{"fl-sample", "A program for tests.", "1.2.3", {}};
  program.commands.push_back({"say", "says a word", "fl-sample say hello",
                              Options().argument("WORD", "the word"),
                              [](const Arguments& arguments) {
                                std::cout << arguments.text("WORD") << "\n";
                                return exit_ok;
                              },
                              "It is said once."});
  program.commands.push_back({"task add", "adds", "fl-sample task add", {}, [](const Arguments&) -> int {
                                throw Error(ErrorCode::not_found, "there is no home");
                              }});
  program.commands.push_back({"task list", "lists", "fl-sample task list", {}, [](const Arguments&) -> int {
                                throw std::logic_error("oops");
                              }});
  return program;
}

Outcome run(std::vector<const char*> words) {
  words.insert(words.begin(), "fl-sample");
  std::ostringstream out;
  std::ostringstream err;
  std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
  std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
  const int status = run_program(sample(), static_cast<int>(words.size()), words.data());
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {status, out.str(), err.str()};
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a command runs with its arguments and its status is the program's") {
  const Outcome outcome = run({"say", "hello"});
  CHECK(outcome.status == exit_ok);
  CHECK(outcome.out == "hello\n");
  CHECK(outcome.err.empty());
}

TEST_CASE("help is there for the program and for each command with its example") {
  for (const auto& words : {std::vector<const char*>{"--help"}, {"help"}, {"-h"}}) {
    const Outcome outcome = run(words);
    CHECK(outcome.status == exit_ok);
    CHECK(contains(outcome.out, "task add"));
  }
  for (const auto& words : {std::vector<const char*>{"say", "--help"}, {"help", "say"}}) {
    const Outcome outcome = run(words);
    CHECK(outcome.status == exit_ok);
    CHECK(contains(outcome.out, "\n\nIt is said once.\n\nArguments:\n"));
    CHECK(contains(outcome.out, "Example:\n  fl-sample say hello\n"));
    CHECK(contains(outcome.out, "WORD"));
  }
  CHECK(run({"--version"}).out == "fl-sample 1.2.3\n");
}

TEST_CASE("wrong usage ends with status 2 and a sentence on stderr (I9)") {
  const Outcome none = run({});
  CHECK(none.status == exit_wrong_usage);
  CHECK(contains(none.err, "Usage: fl-sample"));
  const Outcome unknown = run({"sya", "x"});
  CHECK(unknown.status == exit_wrong_usage);
  CHECK(contains(unknown.err, "fl-sample: error: unknown command 'sya'; did you mean say?"));
  const Outcome half = run({"task", "ad"});
  CHECK(half.status == exit_wrong_usage);
  CHECK(contains(half.err, "there are: task add, task list"));
  const Outcome option = run({"say", "x", "--loud"});
  CHECK(option.status == exit_wrong_usage);
  CHECK(contains(option.err, "unknown option --loud"));
  CHECK(contains(option.err, "say --help"));
  CHECK(option.out.empty());
}

TEST_CASE("a failure ends with status 1 and its sentence on stderr (I9)") {
  const Outcome failure = run({"task", "add"});
  CHECK(failure.status == exit_failed);
  CHECK(failure.err == "fl-sample: error: there is no home\n");
  const Outcome defect = run({"task", "list"});
  CHECK(defect.status == exit_failed);
  CHECK(contains(defect.err, "oops"));
}
