#pragma once

#include <optional>
#include <string>

#include "common/net/endpoint.h"
#include "common/program/arguments.h"

namespace fl::server {

/// The value of --listen and the like. Throws UsageError where it is no ADDRESS:PORT.
net::Endpoint endpoint_of(const program::Arguments& given, const std::string& name);

/// The value of --metrics, which may be off.
std::optional<net::Endpoint> endpoint_or_off_of(const program::Arguments& given, const std::string& name);

}  // namespace fl::server
