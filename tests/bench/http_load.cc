#include "tests/bench/http_load.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cmath>
#include <deque>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <vector>

#include "common/base/files.h"
#include "common/base/random.h"

namespace fl::bench {
namespace {

using Clock = std::chrono::steady_clock;

FileDescriptor connected(std::uint16_t port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody listens on port " + std::to_string(port));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

void send_all(const FileDescriptor& socket, const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) throw std::runtime_error("the server has closed");
    sent += static_cast<std::size_t>(count);
  }
}

/// A whole answer, read with patience.
std::string read_answer(const FileDescriptor& socket) {
  std::string answer;
  std::size_t whole = 0;
  while (whole == 0 || answer.size() < whole) {
    std::array<char, 65536> bytes{};
    const ssize_t count = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (count <= 0) throw std::runtime_error("the server has closed; it said: " + answer);
    answer.append(bytes.data(), static_cast<std::size_t>(count));
    const std::size_t head = answer.find("\r\n\r\n");
    if (whole > 0 || head == std::string::npos) continue;
    std::string fields = answer.substr(0, head);
    std::transform(fields.begin(), fields.end(), fields.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    const std::size_t length = fields.find("content-length:");
    whole = head + 4 + (length == std::string::npos ? 0 : std::stoul(fields.substr(length + 15)));
  }
  if (!answer.starts_with("HTTP/1.1 200")) throw std::runtime_error("the server said: " + answer);
  return answer;
}

/// One connection, which awaits an answer or not.
struct Caller {
  FileDescriptor socket;
  std::size_t left = 0;  // of the answer
  Clock::time_point asked;
};

/// Callers that an epoll set watches.
class Callers {
 public:
  Callers(std::uint16_t port, const std::string& request, std::size_t count)
      : request_(request), callers_(count), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < count; ++i) {
      callers_[i].socket = connected(port);
      send_all(callers_[i].socket, request_);  // the first answer's length is that of all
      const std::string answer = read_answer(callers_[i].socket);
      length_ = answer.size();
      watch(callers_[i].socket.get(), i);
    }
  }

  void watch(int descriptor, std::size_t number) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
  }

  void ask(std::size_t number, Clock::time_point came) {
    Caller& caller = callers_[number];
    caller.asked = came;
    caller.left = length_;
    send_all(caller.socket, request_);
  }

  /// Calls `ended` for each that was answered; other numbers go to `other`.
  template <typename Ended, typename Other>
  void wait(Ended ended, Other other) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const auto number = static_cast<std::size_t>(events.at(static_cast<std::size_t>(i)).data.u64);
      if (number >= callers_.size()) {
        other();
      } else if (read(callers_[number])) {
        ended(number, callers_[number].asked);
      }
    }
  }

  std::size_t size() const { return callers_.size(); }

 private:
  /// Whether its answer is whole.
  bool read(Caller& caller) {
    const ssize_t count = ::recv(caller.socket.get(), space_.data(), space_.size(), 0);
    if (count <= 0) throw std::runtime_error("the server has closed");
    const auto bytes = static_cast<std::size_t>(count);
    const std::string_view begin(space_.data(), std::min<std::size_t>(bytes, 12));
    if (caller.left == length_ && begin != "HTTP/1.1 200")
      throw std::runtime_error("the server said: " + std::string(space_.data(), bytes));
    if (bytes > caller.left) throw std::runtime_error("an answer is longer than the first one");
    caller.left -= bytes;
    return caller.left == 0;
  }

  const std::string& request_;
  std::vector<Caller> callers_;
  FileDescriptor epoll_;
  std::size_t length_ = 0;
  std::array<char, 1 << 17> space_{};
};

Served served(std::vector<double>& times, double seconds) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  return {static_cast<double>(times.size()) / seconds, at(0.5), at(0.99)};
}

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

std::string http_request(std::uint16_t port, const std::string& target, const std::string& fields,
                         const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string answer_to(std::uint16_t port, const std::string& request) {
  const FileDescriptor socket = connected(port);
  send_all(socket, request);
  const std::string answer = read_answer(socket);
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

Served closed_loop(std::uint16_t port, const std::string& request, std::size_t connections,
                   std::chrono::duration<double> time) {
  Callers callers(port, request, connections);
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(time);
  std::vector<double> times;
  times.reserve(1 << 20);
  for (std::size_t i = 0; i < connections; ++i) callers.ask(i, Clock::now());
  Clock::time_point now = begin;
  while (now < end) {
    callers.wait(
        [&](std::size_t number, Clock::time_point asked) {
          now = Clock::now();
          times.push_back(seconds_between(asked, now));
          callers.ask(number, now);
        },
        [] {});
  }
  return served(times, seconds_between(begin, now));
}

Served open_loop(std::uint16_t port, const std::string& request, double a_second,
                 std::chrono::duration<double> time) {
  constexpr std::size_t connections = 256;
  Callers callers(port, request, connections);
  const FileDescriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  callers.watch(timer.get(), connections);
  Random random(1);
  std::vector<std::size_t> free(connections);
  for (std::size_t i = 0; i < connections; ++i) free[i] = i;
  std::deque<Clock::time_point> waiting;
  std::vector<double> times;
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(time);
  Clock::time_point next = begin;
  const auto come = [&] {
    const std::chrono::duration<double> gap(-std::log(1 - random.uniform()) / a_second);
    next += std::chrono::duration_cast<Clock::duration>(gap);
  };
  while (next < end || free.size() < connections || !waiting.empty()) {
    for (; next <= Clock::now() && next < end; come()) waiting.push_back(next);
    for (; !waiting.empty() && !free.empty(); waiting.pop_front(), free.pop_back())
      callers.ask(free.back(), waiting.front());
    if (next < end) {
      const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(next.time_since_epoch());
      itimerspec at{};
      at.it_value.tv_sec = static_cast<std::time_t>(since.count() / 1'000'000'000);
      at.it_value.tv_nsec = static_cast<long>(since.count() % 1'000'000'000);
      ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &at, nullptr);
    } else if (free.size() == connections && waiting.empty()) {
      break;
    }
    callers.wait(
        [&](std::size_t number, Clock::time_point asked) {
          times.push_back(seconds_between(asked, Clock::now()));
          free.push_back(number);
        },
        [&] {
          std::uint64_t ignored = 0;
          (void)!::read(timer.get(), &ignored, sizeof ignored);
        });
  }
  return served(times, seconds_between(begin, Clock::now()));
}

}  // namespace fl::bench
