#include <iostream>
#include <string>

#include <boost/asio/ip/address.hpp>

#include "common/base/clock.h"
#include "server/home/server_home.h"
#include "server/program/commands.h"
#include "server/program/endpoint_options.h"

namespace fl::server {
namespace {

using program::Arguments;

/// What to do about a host that no other machine finds; empty for one that is found.
std::string only_from_here(const std::string& host) {
  boost::system::error_code is_name;
  const auto address = boost::asio::ip::make_address(host, is_name);
  const bool is_loopback = is_name ? host == "localhost" : address.is_loopback();
  if (!is_loopback) return "";
  return "Only this machine finds it there: for devices on others, make the home anew with --host NAME.\n";
}

int run(const Arguments& arguments) {
  ServerConfig config;
  config.listen = endpoint_of(arguments, "listen");
  config.metrics = endpoint_or_off_of(arguments, "metrics");
  config.inference = endpoint_or_off_of(arguments, "inference");
  config.public_host = arguments.text("host");
  const std::string folder = arguments.text("DIR");
  ServerHome::create(folder, config, SystemClock().now());
  std::cout << "Made a server's home in " << folder << ": keys, certificates, settings and an empty ledger.\n"
            << "It listens on " << config.listen.text() << "; devices reach it as " << config.public_host
            << ".\n"
            << only_from_here(config.public_host)
            << "Keep the folder secret and backed up: its keys are what devices trust.\n"
            << "Next: fl-server task add " << folder << " NAME ..., then fl-server run " << folder << "\n";
  return program::exit_ok;
}

}  // namespace

program::Command init_command() {
  return {
      "init", "makes a server's home: keys, certificates, settings, database",
      "fl-server init ~/fl-server --listen 0.0.0.0:7443 --host fl.example.org",
      program::Options()
          .argument("DIR", "the folder to make; it must be empty or not there")
          .value("listen", "ADDRESS:PORT", "where the server listens; port 0 takes a free one each time",
                 "0.0.0.0:7443")
          .value("host", "NAME", "the DNS name or IP address by which devices reach the server", "127.0.0.1")
          .value("metrics", "ADDRESS:PORT", "where Prometheus reads the server's figures; or off",
                 "127.0.0.1:7444")
          .value("inference", "ADDRESS:PORT",
                 "where predictions are answered once 'fl-server key add' has made a key; or off",
                 "0.0.0.0:7445"),
      run};
}

}  // namespace fl::server
