#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "common/base/digest.h"
#include "common/model/contract.h"
#include "common/model/layout.h"
#include "common/program/text_table.h"
#include "server/home/server_home.h"

/// What the commands ask of a home's administration, running or not.
namespace fl::server {

/// The answer to a request; throws Error where it is a refusal.
boost::json::object ask(const ServerHome& home, const boost::json::object& request);

/// A JSON value as it stands in a table: null is nothing.
program::Cell cell_of(const boost::json::value& value);
/// Milliseconds since the Unix epoch as a readable moment; nothing for 0.
program::Cell moment_of(const boost::json::value& milliseconds);

/// What a model needs to be opened.
struct KnownTask {
  std::string name;
  TaskContract contract;
  Layout layout;
  Digest archive;
};
KnownTask ask_task(const ServerHome& home, const std::string& task);

struct KnownVersion {
  std::uint64_t version = 0;
  std::uint64_t round = 0;
  Digest weights;
  std::int64_t published = 0;     ///< Milliseconds since the Unix epoch.
  boost::json::value evaluation;  ///< By devices, as the administration gives it; null where there is none.
  bool pruned = false;            ///< Its weights are not kept any more.
};
/// The versions after `after`, oldest first.
std::vector<KnownVersion> ask_versions(const ServerHome& home, const std::string& task, std::uint64_t after);
/// The version of this number, or the latest for 0. Throws Error: not_found, saying which there are;
/// failed_precondition where its weights are not kept any more.
KnownVersion ask_version(const ServerHome& home, const std::string& task, std::uint64_t version);

/// The record of one round; nothing where there is none.
std::optional<boost::json::object> ask_round(const ServerHome& home, const std::string& task,
                                             std::uint64_t round);
/// The records of the rounds after `after`, oldest first, as the administration gives them.
std::vector<boost::json::object> ask_rounds(const ServerHome& home, const std::string& task,
                                            std::uint64_t after);

}  // namespace fl::server
