#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/ip/address.hpp>

#include "server/entrance/rate_limiter.h"

namespace fl::server {

/// Which connections may begin a handshake: a bounded number at a time, of which one address has a share, and
/// so many a minute from one address. An IPv6 address counts as its /64, which is what one subscriber has.
///
/// Where there are no more, the address with the most of them gives one up, at once, for one with fewer: a
/// crowd that comes back as soon as it is thrown out takes its places from itself. Where no address has more
/// than its part, and within an address, the handshake that began first makes way, if it has had its time
/// already: those who are silent are older than those who talk, and so shut nobody out.
///
/// Pure: told the time. Its memory is bounded, however many addresses there are. One thread at a time.
class HandshakeGate {
 public:
  using Moment = RateLimiter::Moment;
  using Id = std::uint64_t;

  struct Limits {
    std::size_t handshakes = 1024;
    std::size_t handshakes_of_an_address = 512;
    std::size_t connections_a_minute = 12'000;  ///< From an address.
    std::size_t addresses = 65'536;             ///< Whose rate is remembered.
    std::chrono::milliseconds own_time{2'000};  ///< Before it makes way for another.
  };

  enum class Refusal : std::uint8_t { all_taken, share_taken, too_fast };

  struct Answer {
    std::optional<Refusal> refused;
    Id id = 0;                    ///< To be given back to leave(); where it is let in.
    std::optional<Id> makes_way;  ///< Must be ended; has left already.
  };

  explicit HandshakeGate(const Limits& limits)
      : limits_(limits), rates_(limits.connections_a_minute, limits.addresses) {}

  Answer arrive(const boost::asio::ip::address& address, Moment now);
  /// The handshake is over, however it ended. Nothing where it has left.
  void leave(Id id);

  std::size_t handshakes() const { return handshakes_.size(); }

 private:
  struct Handshake {
    std::string source;
    Moment began;
  };

  std::size_t handshakes_of(const std::string& source) const;
  /// The first of the source that has the most, where these are more than `fewer` and one.
  std::optional<Id> of_crowd(std::size_t fewer) const;
  /// `id` where it has had its time.
  std::optional<Id> if_old(Id id, Moment now) const;

  Limits limits_;
  RateLimiter rates_;
  Id next_ = 1;
  std::map<Id, Handshake> handshakes_;             // the one that began first at the front
  std::map<std::string, std::set<Id>> by_source_;  // none without a handshake
};

/// "address_rate" and the like, as the metrics name it.
const char* name(HandshakeGate::Refusal refusal);
/// What the operator is told.
const char* sentence(HandshakeGate::Refusal refusal);

/// What is counted together: an IPv4 address, also one mapped into IPv6, or the first 64 bits of an IPv6
/// address; as bytes.
std::string source_of(const boost::asio::ip::address& address);

}  // namespace fl::server
