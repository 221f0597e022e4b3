#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace fl::test {

/// Which way bytes go: to the device, or to the server.
enum class Way : std::uint8_t { down, up };

/// Where a connection ends: once so many frames, and then so many bytes, have passed one way.
struct Cut {
  Way way = Way::down;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  /// Both ends are reset at once, and what they have not read is lost. Else the one that receives reads all
  /// that has passed, and the other sees the end after it.
  bool abrupt = false;
};

/// Counts the frames in what one side sends over TLS, which it cannot read: a frame ends with a record that
/// is not full, and so do the handshake's messages.
class FrameCounter {
 public:
  /// How many of these bytes there are up to the end of the next frame, at most all.
  std::size_t until_frame_end(std::span<const unsigned char> bytes);
  std::uint64_t frames() const { return frames_; }

 private:
  static constexpr std::size_t header_bytes = 5;
  std::array<unsigned char, header_bytes> header_{};
  std::size_t in_header_ = 0;
  std::size_t left_ = 0;
  bool full_ = false;
  std::uint64_t frames_ = 0;
};

/// Stands between devices and a server, passes on what TCP brings, and cuts connections where it is told to.
/// On a port of its own of loopback, in a thread of its own.
class CuttingRelay {
 public:
  explicit CuttingRelay(std::uint16_t server_port);
  CuttingRelay(const CuttingRelay&) = delete;
  CuttingRelay& operator=(const CuttingRelay&) = delete;
  ~CuttingRelay();

  std::uint16_t port() const { return port_; }
  /// Of the connections that are still to come each takes the first of the cuts that are left.
  void cut_next(const Cut& cut);
  /// How many cuts no connection has taken yet.
  std::size_t cuts_left() const;

  /// What has been passed on so far, in all connections.
  std::uint64_t bytes(Way way) const;
  std::uint64_t frames(Way way) const;

 private:
  struct Line;
  struct Passed {
    std::uint64_t bytes = 0;
    std::uint64_t frames = 0;
  };

  boost::asio::awaitable<void> listen();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket device);
  boost::asio::awaitable<void> pump(std::shared_ptr<Line> line, Way way);
  bool pass(Line& line, Way way, std::span<const unsigned char>& bytes);
  Passed passed(Way way) const;

  std::uint16_t server_port_;
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Cut> cuts_;
  std::array<Passed, 2> passed_;
  std::thread thread_;
};

}  // namespace fl::test
