#pragma once

#include <csignal>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fl::test {

/// Runs `action` in a process of its own, in which no file can grow beyond `bytes`: what a full disk does.
/// Returns what `action` returns, 0 to 98; 99 where it throws.
template <typename Action>
int on_full_disk(rlim_t bytes, Action action) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no process could be made");
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      ::_exit(action());
    } catch (...) {
      ::_exit(99);
    }
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) throw std::runtime_error("it was killed");
  return WEXITSTATUS(status);
}

}  // namespace fl::test
