#include "server/admin/administration.h"

#include <unistd.h>
#include <utility>

#include <boost/json.hpp>

#include "common/base/error.h"
#include "server/admin/request.h"

namespace fl::server {
namespace json = boost::json;

Administration::Administration(const ServerHome& home, Ledger& ledger, BlobStore& blobs, Registry& registry,
                               const Clock& clock, LiveServer live)
    : home_(home),
      ledger_(ledger),
      blobs_(blobs),
      registry_(registry),
      clock_(clock),
      live_(std::move(live)),
      started_(clock.now()) {}

namespace {

json::object failure(ErrorCode code, const std::string& sentence) {
  return {{"ok", false}, {"code", name(code)}, {"error", sentence}};
}

}  // namespace

std::string Administration::execute(std::string_view request) {
  json::object result;
  try {
    result = answer(Request(request));
    result["ok"] = true;
  } catch (const Error& error) {
    result = failure(error.code(), error.what());
  } catch (const std::exception& error) {
    result = failure(ErrorCode::internal, error.what());
  }
  return json::serialize(result);
}

json::object Administration::answer(const Request& request) {
  const std::string command = request.text("command");
  if (command == "status") return status();
  if (command == "tasks") return tasks();
  if (command == "task") return task(request);
  if (command == "task-add") return add_task(request);
  if (command == "token") return make_tokens(request);
  if (command == "key-add") return add_key(request);
  if (command == "key-remove") return remove_key(request);
  if (command == "keys") return keys();
  if (command == "devices") return devices();
  if (command == "device-revoke") return revoke_device(request);
  if (command == "rounds") return rounds(request);
  if (command == "versions") return versions(request);
  throw Error(ErrorCode::invalid_argument,
              "'" + command +
                  "' is no command of this server; it may be of another version than the program that asks");
}

json::object Administration::status() const {
  const bool running = static_cast<bool>(live_.port);
  json::array tasks;
  for (const TaskRecord& task : ledger_.tasks()) {
    tasks.push_back({{"task", task.name},
                     {"version", ledger_.latest_version(task.name).version},
                     {"round", round_state(task.name)}});
  }
  json::object result{{"version", FL_VERSION},
                      {"running", running},
                      {"home", home_.folder().string()},
                      {"host", home_.config().public_host},
                      {"devices", ledger_.device_count()},
                      {"tasks", std::move(tasks)}};
  if (running) {
    result["listen"] = net::Endpoint{home_.config().listen.host, live_.port()}.text();
    result["pid"] = ::getpid();
    result["connections"] = live_.connections();
    result["uptime_ms"] = (clock_.now() - started_).count();
  }
  return result;
}

std::string Administration::round_state(const std::string& task) const {
  if (live_.round_state) return live_.round_state(task);
  const std::optional<RoundRecord> open = ledger_.open_round(task);
  return open ? "round " + std::to_string(open->round) + " goes on when the server runs" : "server stopped";
}

net::Endpoint Administration::public_endpoint() const {
  const std::uint16_t port = live_.port ? live_.port() : home_.config().listen.port;
  if (port == 0) {
    throw Error(ErrorCode::failed_precondition,
                "the server takes a free port whenever it starts (listen = " + home_.config().listen.text() +
                    "), so a token must be made while it runs; start it with 'fl-server run " +
                    home_.folder().string() + "', or set a port in fl-server.ini");
  }
  return {home_.config().public_host, port};
}

}  // namespace fl::server
