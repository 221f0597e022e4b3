#include "server/program/endpoint_options.h"

#include "server/home/server_home.h"

namespace fl::server {

net::Endpoint endpoint_of(const program::Arguments& given, const std::string& name) {
  try {
    return net::Endpoint::parse(given.text(name));
  } catch (const Error& error) {
    throw program::UsageError("--" + name + ": " + error.what());
  }
}

std::optional<net::Endpoint> endpoint_or_off_of(const program::Arguments& given, const std::string& name) {
  if (given.text(name) == endpoint_off) return std::nullopt;
  return endpoint_of(given, name);
}

}  // namespace fl::server
