#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/net/loopback.h"

namespace fl::test {

/// Peers that connect to a port of loopback, from addresses of loopback that no device of the tests has, and
/// do there what does no good: each says nothing, or some bytes at once and then one every second, and comes
/// again a second after it is thrown out. On a thread of its own, until its end.
class Crowd {
 public:
  struct Peers {
    std::size_t count = 0;
    std::string first;          ///< What each says at once.
    bool drips = false;         ///< Whether it goes on with a byte a second.
    bool shakes_hands = false;  ///< Whether it says that after a handshake of one that enrols.
    std::uint8_t network = 1;   ///< They come from 127.NETWORK.0.1 to 127.NETWORK.0.4.
  };

  Crowd(std::uint16_t port, const std::vector<Peers>& groups);
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  /// Every peer closes.
  ~Crowd();

 private:
  struct Peer;
  Task<> come_again_and_again(Peer peer);

  Loopback loopback_;  // whose context runs them; its own port is nobody's
  std::thread thread_;
};

}  // namespace fl::test
