#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/agent/work.h"

namespace fl::client {

/// The finished updates of a device on its disk, so that they outlive its process until the server has them
/// or will not have them: a file for each task, which holds the announcement as it would travel, after its
/// length in four bytes, and then the update's bytes. Written atomically; one writer of a task at a time. Any
/// thread.
class Outbox {
 public:
  /// `folder` need not be there yet.
  explicit Outbox(std::filesystem::path folder);

  /// In place of the task's update before; durable when it returns. Throws Error as the system fails.
  void put(const FinishedUpdate& update) const;
  /// No error where there is none.
  void remove(const std::string& task) const;

  struct Contents {
    std::vector<std::shared_ptr<const FinishedUpdate>> updates;  ///< Their deadlines have come.
    std::vector<std::string> troubles;                           ///< Sentences about what was damaged.
  };
  /// What is there and whole; what is not is removed.
  Contents contents() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace fl::client
