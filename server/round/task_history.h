#pragma once

#include <cstdint>

namespace fl::server {

/// What a task's rounds so far tell about the next. Pure; told of every ended round in its order, whether it
/// ends now or is read from the ledger after a restart, it says the same. One thread at a time.
class TaskHistory {
 public:
  void round_committed();

  std::uint64_t committed() const { return committed_; }

 private:
  std::uint64_t committed_ = 0;
};

}  // namespace fl::server
