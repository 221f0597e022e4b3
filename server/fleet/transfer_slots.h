#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "common/base/clock.h"

namespace fl::server {

/// A bounded number of transfers at a time; further ones wait in the order they came (I5). One strand.
class TransferSlots {
 public:
  /// Holds one slot until it goes.
  class Slot {
   public:
    explicit Slot(TransferSlots& slots) : slots_(&slots) {}
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (slots_ != nullptr) slots_->release();
    }

   private:
    TransferSlots* slots_;
  };

  explicit TransferSlots(std::size_t count) : free_(count) {}

  /// Whether a transfer that has moved so many bytes in so long should end: others wait, and after half a
  /// minute it is slower than 64 KiB a second.
  bool should_make_way(std::uint64_t bytes, Seconds since) const;

  /// Waits for a slot; nothing where call_off() ended the wait. An owner waits for one at a time.
  boost::asio::awaitable<std::optional<Slot>> acquire(const void* owner);
  /// This owner waits no more. Nothing where it does not wait.
  void call_off(const void* owner);

 private:
  struct Waiter;

  void release();

  std::size_t free_;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace fl::server
