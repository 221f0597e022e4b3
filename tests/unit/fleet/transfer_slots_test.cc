#include "server/fleet/transfer_slots.h"

#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

using namespace fl::server;

namespace {

/// One slot, and owners that each wait for it and keep what they get.
struct Queue {
  void wait(int owner) {
    boost::asio::co_spawn(
        context,
        [this, owner]() -> boost::asio::awaitable<void> {
          std::optional<TransferSlots::Slot> slot =
              co_await slots.acquire(&owners[static_cast<unsigned>(owner)]);
          ended.push_back(owner);
          if (slot) held.emplace_back(*std::move(slot));
        },
        boost::asio::detached);
    turn();
  }
  void call_off(int owner) {
    slots.call_off(&owners[static_cast<unsigned>(owner)]);
    turn();
  }
  void give_back() {
    held.clear();
    turn();
  }
  void turn() {
    context.restart();
    context.poll();
  }

  boost::asio::io_context context{1};
  TransferSlots slots{1};
  std::vector<int> owners = std::vector<int>(4);
  std::vector<int> ended;
  std::vector<TransferSlots::Slot> held;
};

}  // namespace

TEST_CASE("transfers beyond the slots wait in the order they came (I5)") {
  Queue queue;
  for (const int owner : {0, 1, 2}) queue.wait(owner);
  CHECK(queue.ended == std::vector<int>{0});
  queue.give_back();
  CHECK(queue.ended == std::vector<int>{0, 1});
  queue.give_back();
  CHECK(queue.ended == std::vector<int>{0, 1, 2});
}

TEST_CASE("a slow transfer makes way where others wait and no other does (I5)") {
  constexpr std::uint64_t kibibyte = 1024;
  Queue queue;
  queue.wait(0);
  CHECK_FALSE(queue.slots.should_make_way(0, fl::Seconds(1000)));
  queue.wait(1);
  CHECK_FALSE(queue.slots.should_make_way(0, fl::Seconds(29)));
  CHECK(queue.slots.should_make_way(0, fl::Seconds(31)));
  CHECK(queue.slots.should_make_way(40 * (63 * kibibyte), fl::Seconds(40)));
  CHECK_FALSE(queue.slots.should_make_way(40 * (65 * kibibyte), fl::Seconds(40)));
  queue.call_off(1);
  CHECK_FALSE(queue.slots.should_make_way(0, fl::Seconds(1000)));
}

TEST_CASE("who goes while it waits has no slot and keeps none from others") {
  Queue queue;
  for (const int owner : {0, 1, 2}) queue.wait(owner);
  queue.call_off(1);
  CHECK(queue.ended == std::vector<int>{0, 1});
  CHECK(queue.held.size() == 1);
  queue.give_back();
  CHECK(queue.ended == std::vector<int>{0, 1, 2});
  queue.call_off(2);  // it waits no more
  queue.give_back();
  queue.wait(3);
  CHECK(queue.ended == std::vector<int>{0, 1, 2, 3});
}
