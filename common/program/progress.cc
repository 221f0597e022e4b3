#include "common/program/progress.h"

#include <cmath>
#include <iostream>
#include <unistd.h>
#include <utility>

#include "common/program/text_table.h"

namespace fl::program {

using std::chrono::milliseconds;

Progress::Progress(std::string what)
    : Progress(std::move(what), std::cerr, ::isatty(STDERR_FILENO) == 1, &std::chrono::steady_clock::now) {}

Progress::Progress(std::string what, std::ostream& out, bool terminal, Clock clock)
    : what_(std::move(what)),
      out_(out),
      terminal_(terminal),
      clock_(std::move(clock)),
      begun_(clock_()),
      next_(begun_ + (terminal ? milliseconds(1000) : milliseconds(2000))) {}

Progress::~Progress() {
  if (line_is_shown_) out_ << "\r\x1b[K" << std::flush;
}

void Progress::update(double done, double total, const std::string& note) {
  const auto now = clock_();
  if (now < next_) return;
  next_ = now + (terminal_ ? milliseconds(100) : milliseconds(5000));
  if (terminal_) {
    out_ << "\r" << line(done, total, note) << "\x1b[K" << std::flush;
    line_is_shown_ = true;
  } else {
    out_ << line(done, total, note) << "\n" << std::flush;
  }
}

std::string Progress::line(double done, double total, const std::string& note) const {
  const double seconds = std::chrono::duration<double>(clock_() - begun_).count();
  std::string text = what_;
  if (total > 0.0) text += ": " + std::to_string(std::lround(100.0 * done / total)) + " %";
  text += ", " + readable_seconds(seconds);
  if (!note.empty()) text += ", " + note;
  return text;
}

}  // namespace fl::program
