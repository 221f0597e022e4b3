#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "server/metrics/task_metrics.h"

namespace fl::server {

/// Where a peer is refused: before its handshake, in it, when it enrols, in a device's conversation.
enum class Stage : std::uint8_t { arrival, handshake, enrolment, session };

const char* name(Stage stage);

/// What an operator sees of a running server, as Prometheus counts and names it (docs/operating.md lists
/// all).
///
/// Cheap enough to be called wherever something happens. What labels a figure is a task or one of a fixed set
/// of words, never what a peer says of itself, so that no peer makes it grow. Any thread.
class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  /// A task's figures, which stay as long as this does.
  TaskMetrics& task(const std::string& name);

  void connection_came();
  void handshake_took(Seconds time);
  void device_enrolled();
  /// `reason`: one of a fixed set of words.
  void refused(Stage stage, std::string_view reason);
  void log_line_left_out();
  void ledger_committed(Seconds time);

  /// Open connections: those that have not shown who they are, and devices.
  void set_connections(std::size_t unauthenticated, std::size_t devices);

  /// Every figure in Prometheus's text format.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fl::server
