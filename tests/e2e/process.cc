#include "tests/e2e/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace fl::test {
namespace {

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

[[noreturn]] void become(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                         int output, int errors) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  std::vector<char*> words{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

}  // namespace

Process::Process(const std::string& program, const std::vector<std::string>& arguments)
    : name_(std::filesystem::path(program).filename()) {
  start(program_path(program), arguments);
}

void Process::start(const std::filesystem::path& path, const std::vector<std::string>& arguments) {
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  id_ = ::fork();
  if (id_ < 0) throw std::runtime_error("no process");
  if (id_ == 0) become(path, arguments, output.write.get(), errors.write.get());
  output_.pipe = std::move(output.read);
  errors_.pipe = std::move(errors.read);
}

Process::Process(Process&& other) noexcept
    : name_(std::move(other.name_)),
      id_(std::exchange(other.id_, -1)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

Process::~Process() {
  if (id_ > 0) kill();
}

std::string Process::all_it_said() const {
  return name_ + " said:\n" + output_.text + "\nand as errors:\n" + errors_.text;
}

bool Process::read_more(std::chrono::steady_clock::time_point deadline) {
  std::array<pollfd, 2> ready{{{output_.pipe.get(), POLLIN, 0}, {errors_.pipe.get(), POLLIN, 0}}};
  if (ready[0].fd < 0 && ready[1].fd < 0) return false;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  const int count = ::poll(ready.data(), ready.size(), std::max(0, static_cast<int>(left.count())));
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) throw std::runtime_error("too slow; " + all_it_said());
  for (std::size_t i = 0; i < ready.size(); ++i) {
    if (ready.at(i).revents == 0) continue;
    Stream& stream = i == 0 ? output_ : errors_;
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(stream.pipe.get(), bytes.data(), bytes.size());
    if (got > 0) stream.text.append(bytes.data(), static_cast<std::size_t>(got));
    if (got == 0) stream.pipe = FileDescriptor();
  }
  return true;
}

std::string Process::wait_for_line(const std::string& text, Seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    for (Stream* stream : {&output_, &errors_}) {
      for (std::size_t end = 0; (end = stream->text.find('\n', stream->searched)) != std::string::npos;) {
        const std::string line = stream->text.substr(stream->searched, end - stream->searched);
        stream->searched = end + 1;
        if (line.find(text) != std::string::npos) return line;
      }
    }
    if (!read_more(deadline))
      throw std::runtime_error("ended without saying '" + text + "'; " + all_it_said());
  }
}

void Process::signal(int number) const {
  if (id_ > 0) ::kill(id_, number);
}

Ended Process::wait(Seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  try {
    while (read_more(deadline)) {
    }
  } catch (...) {
    kill();
    throw;
  }
  int status = 0;
  ::waitpid(std::exchange(id_, -1), &status, 0);
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), output_.text, errors_.text};
}

void Process::kill() {
  signal(SIGKILL);
  int status = 0;
  ::waitpid(std::exchange(id_, -1), &status, 0);
}

std::filesystem::path program_path(const std::string& program) {
  return std::filesystem::path(FL_BIN_DIR) / program;
}

Ended run(const std::string& program, const std::vector<std::string>& arguments) {
  return Process(program, arguments).wait();
}

std::string output_of(const std::string& program, const std::vector<std::string>& arguments) {
  const Ended ended = run(program, arguments);
  if (ended.exit_code != 0) {
    throw std::runtime_error(program + " ended with " + std::to_string(ended.exit_code) + ": " +
                             ended.errors);
  }
  return ended.output;
}

}  // namespace fl::test
