#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/base/digest.h"
#include "protocol/message.h"
#include "server/aggregation/update_check.h"
#include "server/ledger/records.h"
#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// What became of an update, and the sentence that the device is told.
struct Verdict {
  wire::Outcome outcome = wire::Outcome::accepted;
  std::string sentence;
};

/// What a device says of an update before its bytes come.
struct Announcement {
  std::string device;
  std::uint64_t round = 0;
  std::uint64_t version = 0;
  Digest layout_hash;
  Digest hash;
  std::uint64_t length = 0;
  bool encoding_is_known = true;  ///< Else the record's stands for none.
  ParticipantRecord record;       ///< What the ledger keeps of it.
};

/// What an aggregation rule goes by.
UpdateFacts facts_of(const ParticipantRecord& record);

/// An update that has come and been checked, until it is in the ledger. One coroutine waits for that, on the
/// thread of the context that tells it.
class Arrival {
 public:
  Arrival(boost::asio::io_context& context, Announcement announcement, std::optional<UpdateFault> its_fault);

  /// Returns once told; throws what it was told.
  boost::asio::awaitable<void> recorded();
  /// Null: the verdict holds. Only the first time counts.
  void tell(const std::exception_ptr& failure);

  Announcement update;
  std::optional<UpdateFault> fault;
  Verdict verdict;
  bool counts = false;  ///< It is to be in the ledger, accepted or refused.

 private:
  boost::asio::steady_timer told_;  // never expires; cancelled once told
  bool is_told_ = false;
  std::exception_ptr failure_;
};

}  // namespace fl::server
