#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/serving/served_version.h"

namespace fl::serving {

/// The models of one door, and which version of each answers. Any thread.
class Repository {
 public:
  /// A model that there is, though no version of it answers yet: for the reason given.
  void announce(const std::string& model, const std::string& reason);
  /// From now on this version answers; requests that have begun end on the one they began with (I7).
  void serve(const std::shared_ptr<ServedVersion>& version);

  /// The version that answers, or the one of that number. Throws Error: not_found, naming what there is;
  /// unavailable where none answers yet, with the reason.
  std::shared_ptr<ServedVersion> find(const std::string& model, std::optional<std::uint64_t> number) const;
  /// The models' names.
  std::vector<std::string> models() const;
  /// Whether every model answers, and there is one.
  bool ready() const;

 private:
  struct Entry {
    std::shared_ptr<ServedVersion> serving;  // null: none yet
    std::string reason;
  };

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Entry> entries_;
};

}  // namespace fl::serving
