#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "common/base/files.h"

namespace fl::test {

/// How a program ended, and all it said.
struct Ended {
  int exit_code = -1;  ///< 128 + the signal's number where a signal ended it.
  std::string output;
  std::string errors;
};

/// One of our programs, running as a process of its own; killed with its owner's end. Blocks on the process's
/// pipes and never sleeps.
class Process {
 public:
  using Seconds = std::chrono::seconds;

  /// Starts build/bin/`program`, or `program` itself where it is an absolute path.
  Process(const std::string& program, const std::vector<std::string>& arguments);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  /// Reads what the program says until a line of it, on either stream, holds `text`; returns the line. Throws
  /// std::runtime_error with all it said where it ends before or takes longer.
  std::string wait_for_line(const std::string& text, Seconds limit = Seconds(120));

  void signal(int number) const;
  /// Waits for its end, at most so long; then kills it and throws with all it said.
  Ended wait(Seconds limit = Seconds(120));
  /// SIGKILL, and waits.
  void kill();

  pid_t id() const { return id_; }

 private:
  struct Stream {
    FileDescriptor pipe;
    std::string text;
    std::size_t searched = 0;
  };

  void start(const std::filesystem::path& path, const std::vector<std::string>& arguments);
  bool read_more(std::chrono::steady_clock::time_point deadline);
  std::string all_it_said() const;

  std::string name_;
  pid_t id_ = -1;
  Stream output_;
  Stream errors_;
};

/// Where a program of ours lies.
std::filesystem::path program_path(const std::string& program);

/// Runs a program to its end.
Ended run(const std::string& program, const std::vector<std::string>& arguments);

/// Runs a program that must succeed, and returns what it printed.
std::string output_of(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace fl::test
