#include "server/fleet/handshake_gate.h"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

namespace fl::server {

namespace ip = boost::asio::ip;

HandshakeGate::Answer HandshakeGate::arrive(const ip::address& address, Moment now) {
  const std::string source = source_of(address);
  Answer answer;
  if (!rates_.take(source, now)) {
    answer.refused = Refusal::too_fast;
    return answer;
  }
  const auto own = by_source_.find(source);
  const bool share_taken = own != by_source_.end() && own->second.size() >= limits_.handshakes_of_an_address;
  if (share_taken) {
    answer.makes_way = if_old(*own->second.begin(), now);
    if (!answer.makes_way) answer.refused = Refusal::share_taken;
  } else if (handshakes_.size() >= limits_.handshakes) {
    answer.makes_way = if_old(handshakes_.begin()->first, now);
    if (!answer.makes_way) answer.refused = Refusal::all_taken;
  }
  if (answer.refused) return answer;
  if (answer.makes_way) leave(*answer.makes_way);
  answer.id = next_++;
  by_source_[source].insert(answer.id);
  handshakes_.emplace(answer.id, Handshake{source, now});
  return answer;
}

std::optional<HandshakeGate::Id> HandshakeGate::if_old(Id id, Moment now) const {
  if (now - handshakes_.at(id).began < limits_.own_time) return std::nullopt;
  return id;
}

void HandshakeGate::leave(Id id) {
  const auto found = handshakes_.find(id);
  if (found == handshakes_.end()) return;
  const auto own = by_source_.find(found->second.source);
  own->second.erase(id);
  if (own->second.empty()) by_source_.erase(own);
  handshakes_.erase(found);
}

const char* name(HandshakeGate::Refusal refusal) {
  switch (refusal) {
    case HandshakeGate::Refusal::all_taken:
      return "handshakes_full";
    case HandshakeGate::Refusal::share_taken:
      return "address_share";
    case HandshakeGate::Refusal::too_fast:
      return "address_rate";
  }
  return "unknown";
}

const char* sentence(HandshakeGate::Refusal refusal) {
  switch (refusal) {
    case HandshakeGate::Refusal::all_taken:
      return "as many peers shake hands as max-handshakes allows";
    case HandshakeGate::Refusal::share_taken:
      return "as many peers of this address shake hands as max-address-handshakes allows";
    case HandshakeGate::Refusal::too_fast:
      return "more connections came from this address than address-connections-per-minute allows";
  }
  return "no connection is taken";
}

std::string source_of(const ip::address& address) {
  if (address.is_v6() && !address.to_v6().is_v4_mapped()) {
    const ip::address_v6::bytes_type bytes = address.to_v6().to_bytes();
    return {bytes.begin(), bytes.begin() + bytes.size() / 2};
  }
  const ip::address_v4 v4 =
      address.is_v4() ? address.to_v4() : ip::make_address_v4(ip::v4_mapped, address.to_v6());
  const ip::address_v4::bytes_type bytes = v4.to_bytes();
  return {bytes.begin(), bytes.end()};
}

}  // namespace fl::server
