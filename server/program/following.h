#pragma once

#include <functional>

#include "common/program/arguments.h"

namespace fl::server {

/// Adds --follow, --until-round and --timeout to a command's options.
program::Options& add_following(program::Options& options);

/// How a command follows what a server does.
struct Following {
  bool follow = false;
  std::uint64_t until_round = 0;  ///< 0: no end.
  double timeout_seconds = 0.0;   ///< 0: no end.
};
/// Throws UsageError where the others are given without --follow.
Following following_of(const program::Arguments& arguments);

/// Calls `look` once, or, to follow, several times a second until it returns false. Throws Error(timeout)
/// where the end does not come in time.
void look_and_follow(const Following& following, const std::function<bool()>& look);

}  // namespace fl::server
