#include "server/entrance/handshake_gate.h"

#include <vector>

#include <doctest/doctest.h>

using namespace fl::server;
using namespace std::chrono_literals;
using boost::asio::ip::make_address;
using Refusal = HandshakeGate::Refusal;

namespace {

constexpr HandshakeGate::Moment begin{1000s};

/// The n-th of many addresses, each of another network.
boost::asio::ip::address address(std::uint32_t n) {
  return boost::asio::ip::address_v4(0x0a000000U + n);
}

HandshakeGate::Limits small() {
  HandshakeGate::Limits limits;
  limits.handshakes = 10;
  limits.handshakes_of_an_address = 4;
  limits.connections_a_minute = 1000;
  limits.own_time = 2s;
  return limits;
}

}  // namespace

TEST_CASE("an address has its share of the handshakes and leaves the others theirs") {
  HandshakeGate gate(small());
  std::vector<HandshakeGate::Id> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(gate.arrive(address(1), begin).id);
  CHECK(gate.arrive(address(1), begin).refused == Refusal::share_taken);
  for (int i = 0; i < 4; ++i) CHECK(!gate.arrive(address(2), begin).refused);
  CHECK(gate.handshakes() == 8);
  gate.leave(ids[2]);
  gate.leave(ids[2]);
  CHECK(gate.handshakes() == 7);
  CHECK(!gate.arrive(address(1), begin).refused);
  CHECK(gate.arrive(address(1), begin).refused == Refusal::share_taken);
}

TEST_CASE("with every handshake taken one that began just now is not ended for another") {
  HandshakeGate gate(small());
  for (std::uint32_t i = 0; i < 10; ++i) CHECK(!gate.arrive(address(i), begin).refused);
  const HandshakeGate::Answer answer = gate.arrive(address(99), begin + 1999ms);
  CHECK(answer.refused == Refusal::all_taken);
  CHECK(!answer.makes_way);
  CHECK(gate.handshakes() == 10);
}

TEST_CASE("a handshake that has had its time makes way and the one that began first does so first") {
  HandshakeGate gate(small());
  std::vector<HandshakeGate::Id> ids;
  for (std::uint32_t i = 0; i < 10; ++i) {
    ids.push_back(gate.arrive(address(i), begin + std::chrono::milliseconds(i)).id);
  }
  gate.leave(ids[0]);
  CHECK(!gate.arrive(address(20), begin + 1s).makes_way);
  CHECK(gate.arrive(address(21), begin + 3s).makes_way == ids[1]);
  CHECK(gate.arrive(address(22), begin + 3s).makes_way == ids[2]);
  CHECK(gate.handshakes() == 10);
  gate.leave(ids[1]);  // as its connection ends
  CHECK(gate.handshakes() == 10);
}

TEST_CASE("an address whose share is silent makes way for itself alone") {
  HandshakeGate gate(small());
  const HandshakeGate::Id other = gate.arrive(address(7), begin).id;
  std::vector<HandshakeGate::Id> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(gate.arrive(address(1), begin + 1s).id);
  const HandshakeGate::Answer answer = gate.arrive(address(1), begin + 10s);
  CHECK(!answer.refused);
  CHECK(answer.makes_way == ids[0]);
  CHECK(answer.makes_way != other);
}

TEST_CASE("with every handshake taken the address with the most gives up its first for one with fewer") {
  HandshakeGate gate(small());
  std::vector<HandshakeGate::Id> most;
  gate.arrive(address(2), begin);  // the one that began first of all
  for (int i = 0; i < 4; ++i) most.push_back(gate.arrive(address(1), begin).id);
  for (int i = 0; i < 2; ++i) gate.arrive(address(2), begin);
  for (int i = 0; i < 3; ++i) gate.arrive(address(3), begin);
  CHECK(gate.handshakes() == 10);
  CHECK(gate.arrive(address(3), begin).refused == Refusal::all_taken);  // it would have as many then
  CHECK(gate.arrive(address(4), begin).makes_way == most[0]);
  CHECK(!gate.arrive(address(4), begin).refused);
  CHECK(gate.arrive(address(4), begin).refused == Refusal::all_taken);
  CHECK(gate.handshakes() == 10);
}

TEST_CASE("a crowd that comes back at once holds off no newcomer and ends no handshake of its (I8)") {
  HandshakeGate::Limits limits = small();
  limits.handshakes = 100;
  limits.handshakes_of_an_address = 50;
  limits.connections_a_minute = 1'000'000'000;
  HandshakeGate gate(limits);
  constexpr std::uint32_t crowd_addresses = 20;
  auto now = begin;
  for (std::uint32_t i = 0; i < 100; ++i) gate.arrive(address(i % crowd_addresses), now);
  for (std::uint32_t visit = 0; visit < 1000; ++visit) {
    const HandshakeGate::Answer newcomer = gate.arrive(address(1000 + visit), now);
    REQUIRE(!newcomer.refused);
    for (std::uint32_t i = 0; i < 200; ++i) {  // while the newcomer shakes hands
      now += 5ms;
      REQUIRE(gate.arrive(address(i % crowd_addresses), now).makes_way != newcomer.id);
    }
    gate.leave(newcomer.id);
    gate.arrive(address(visit % crowd_addresses), now);
  }
}

TEST_CASE("connections from an address are let in at its rate") {
  HandshakeGate::Limits limits = small();
  limits.connections_a_minute = 60;
  HandshakeGate gate(limits);
  for (int i = 0; i < 60; ++i) {
    const HandshakeGate::Answer answer = gate.arrive(address(1), begin);
    CHECK(!answer.refused);
    gate.leave(answer.id);
  }
  CHECK(gate.arrive(address(1), begin).refused == Refusal::too_fast);
  CHECK(!gate.arrive(address(2), begin).refused);
  CHECK(!gate.arrive(address(1), begin + 1s).refused);
}

TEST_CASE("addresses without end shut nobody out that has an address of its own") {
  HandshakeGate gate(small());
  auto now = begin;
  std::size_t in = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    now += 300ms;  // 10 silent ones every 3 s: each has had its time when its place is wanted
    gate.arrive(address(i), now);
    const HandshakeGate::Answer honest = gate.arrive(address(0xffffff), now);
    if (honest.refused) continue;
    gate.leave(honest.id);
    ++in;
  }
  CHECK(in == 100'000);
  CHECK(gate.handshakes() <= 10);
}

TEST_CASE("IPv6 addresses count by their /64 and mapped IPv4 addresses as what they are") {
  CHECK(source_of(make_address("2001:db8::1")) == source_of(make_address("2001:db8::ffff:ffff:ffff:ffff")));
  CHECK(source_of(make_address("2001:db8:0:1::1")) != source_of(make_address("2001:db8::1")));
  CHECK(source_of(make_address("::ffff:192.0.2.7")) == source_of(make_address("192.0.2.7")));
  CHECK(source_of(make_address("192.0.2.8")) != source_of(make_address("192.0.2.7")));
}
