#include "server/program/memory_return.h"

#include <chrono>
#include <malloc.h>
#include <utility>

namespace fl::server {
namespace {

constexpr std::chrono::seconds pause{10};
constexpr std::uint64_t worth_it = 100;

}  // namespace

MemoryReturn::MemoryReturn(boost::asio::io_context& context, std::function<std::uint64_t()> departures)
    : timer_(context), departures_(std::move(departures)) {
  wait();
}

void MemoryReturn::wait() {
  timer_.expires_after(pause);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    look();
    wait();
  });
}

void MemoryReturn::look() {
  const std::uint64_t departures = departures_();
  if (departures - returned_at_ < worth_it) return;
  returned_at_ = departures;
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace fl::server
