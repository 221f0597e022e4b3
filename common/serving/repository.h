#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "common/serving/served_version.h"

namespace fl::serving {

/// The models of one door, and which version of each answers. Any thread.
class Repository {
 public:
  /// What find() does about a version that could be opened: says so alone, or asks for it too.
  enum class Missing : std::uint8_t { tell, open };
  static constexpr std::size_t most_others = 2;
  static constexpr std::size_t most_refused = 64;

  /// A model that there is, though no version of it answers yet: for the reason given.
  void announce(const std::string& model, const std::string& reason);
  /// From now on this version answers; requests that have begun end on the one they began with (I7). Where
  /// others may be asked for, the one before it is one of them.
  void serve(const std::shared_ptr<ServedVersion>& version);

  /// Lets another version answer too, to those who ask for it by its number; the one that was added first of
  /// `most_others` makes way.
  void serve_also(const std::shared_ptr<ServedVersion>& version);
  /// What is told whoever asks for this version by its number: why it cannot be opened.
  void refuse(const std::string& model, std::uint64_t number, const std::string& reason);
  /// Who opens versions that are asked for by a number that none has here. Without, there are no others. Must
  /// not block; called without the lock, by any thread, again and again until the version is there or
  /// refused.
  void on_wanted(std::function<void(const std::string& model, std::uint64_t number)> open);

  /// The version that answers, or the one of that number. Throws Error: not_found, naming what there is;
  /// unavailable where it does not answer yet, with the reason.
  std::shared_ptr<ServedVersion> find(const std::string& model, std::optional<std::uint64_t> number,
                                      Missing missing = Missing::tell) const;
  /// Whether that very version answers.
  bool answers(const std::string& model, std::uint64_t number) const;
  /// Whether every model answers, and there is one.
  bool ready() const;

 private:
  struct Entry {
    std::shared_ptr<ServedVersion> serving;  // null: none yet
    std::string reason;
    std::deque<std::shared_ptr<ServedVersion>> others;          // the one that was added first at the front
    std::deque<std::pair<std::uint64_t, std::string>> refused;  // the same

    std::shared_ptr<ServedVersion> keep_beside(std::shared_ptr<ServedVersion> version);
  };

  /// Throws Error(unavailable) where it may come, not_found where it will not.
  std::shared_ptr<ServedVersion> find_other(const Entry& entry, std::uint64_t number) const;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Entry> entries_;
  std::function<void(const std::string& model, std::uint64_t number)> on_wanted_;
};

}  // namespace fl::serving
