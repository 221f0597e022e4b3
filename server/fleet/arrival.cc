#include "server/fleet/arrival.h"

#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::server {

namespace asio = boost::asio;

UpdateFacts facts_of(const ParticipantRecord& record) {
  return {record.examples, record.steps, record.test_examples, record.test_loss};
}

Arrival::Arrival(asio::io_context& context, Announcement announcement, std::optional<UpdateFault> its_fault)
    : update(std::move(announcement)),
      fault(std::move(its_fault)),
      told_(context, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> Arrival::recorded() {
  boost::system::error_code cancelled;
  while (!is_told_) co_await told_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  if (failure_) std::rethrow_exception(failure_);
}

void Arrival::tell(const std::exception_ptr& failure) {
  if (std::exchange(is_told_, true)) return;
  failure_ = failure;
  told_.cancel();
}

}  // namespace fl::server
