#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include "client/agent/agenda.h"
#include "client/agent/parts.h"
#include "client/agent/training.h"

namespace fl::client {

/// Trains on a worker thread, at most one session at a time, and puts the outcome into the agenda. Goes on
/// while connections come and go. All calls on the thread that runs `context`.
class Trainer {
 public:
  /// `changed` is called, on the same thread, after the agenda has changed.
  Trainer(const AgentParts& parts, Agenda& agenda, boost::asio::io_context& context,
          boost::asio::thread_pool& workers, std::function<void()> changed);

  /// Trains on the offer that the agenda has for the task.
  void begin(const std::string& task);
  /// Stops the training that goes on, if any; it ends soon and gives nothing.
  void cancel();

 private:
  boost::asio::awaitable<void> run(Offer offer, std::stop_token stop);
  std::shared_ptr<const FinishedUpdate> work(const Offer& offer, const std::stop_token& stop) const;
  void keep(const FinishedUpdate& update, const ModelStore& store) const;
  void report_progress(const Offer& offer, const TrainingProgress& progress) const;
  void conclude(const Offer& offer, std::shared_ptr<const FinishedUpdate> update, const std::string& failure);

  const AgentParts& parts_;
  Agenda& agenda_;
  boost::asio::io_context& context_;
  boost::asio::thread_pool& workers_;
  std::function<void()> changed_;
  std::stop_source stop_;
};

}  // namespace fl::client
