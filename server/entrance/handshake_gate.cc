#include "server/entrance/handshake_gate.h"

#include <algorithm>

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
  const std::size_t own = handshakes_of(source);
  if (own >= limits_.handshakes_of_an_address) {
    answer.makes_way = if_old(*by_source_.at(source).begin(), now);
    if (!answer.makes_way) answer.refused = Refusal::share_taken;
  } else if (handshakes_.size() >= limits_.handshakes) {
    answer.makes_way = of_crowd(own);
    if (!answer.makes_way) answer.makes_way = if_old(handshakes_.begin()->first, now);
    if (!answer.makes_way) answer.refused = Refusal::all_taken;
  }
  if (answer.refused) return answer;
  if (answer.makes_way) leave(*answer.makes_way);
  answer.id = next_++;
  by_source_[source].insert(answer.id);
  handshakes_.emplace(answer.id, Handshake{source, now});
  return answer;
}

std::size_t HandshakeGate::handshakes_of(const std::string& source) const {
  const auto found = by_source_.find(source);
  return found == by_source_.end() ? 0 : found->second.size();
}

std::optional<HandshakeGate::Id> HandshakeGate::of_crowd(std::size_t fewer) const {
  const auto crowd = std::max_element(by_source_.begin(), by_source_.end(), [](const auto& a, const auto& b) {
    return a.second.size() < b.second.size();
  });
  // Otherwise the two would only change places.
  if (crowd == by_source_.end() || crowd->second.size() <= fewer + 1) return std::nullopt;
  return *crowd->second.begin();
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
