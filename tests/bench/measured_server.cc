#include "tests/bench/measured_server.h"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/program/progress.h"
#include "server/home/server_home.h"
#include "server/registry/registry.h"
#include "tests/unit/model/sample_contract.h"

namespace fl::bench {

namespace ip = boost::asio::ip;
using namespace std::chrono_literals;

namespace {

constexpr const char* task_name = "noise";

std::uint16_t free_port() {
  boost::asio::io_context context;
  const ip::tcp::acceptor acceptor(context, {ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

void add_task(const server::ServerHome& home, const Layout& layout, const RoundPlan& plan) {
  server::Ledger ledger(home.ledger_path());
  server::BlobStore blobs(home.blobs_path());
  server::Registry registry(ledger, blobs, home.signing_key());
  const std::string archive = "nobody opens it here";
  server::TaskRecord task;
  task.name = task_name;
  task.plan.round = plan;
  task.contract = test::table_contract();
  task.layout = layout;
  task.archive_hash = blobs.put(as_bytes(archive));
  task.archive_bytes = archive.size();
  const std::vector<float> zeros(layout.size());
  registry.add_task(task, zeros, SystemClock().now());
}

net::Identity enrolled_device(server::Ledger& ledger, const net::Identity& authority, const std::string& id) {
  const Timestamp now = SystemClock().now();
  const net::PrivateKey key = net::PrivateKey::generate();
  const net::Validity validity{now, 24h};
  net::Identity device{net::issue_device(authority, net::make_request(key), id, validity), key};
  server::DeviceRecord record;
  record.id = record.name = id;
  record.certificate_serial = device.certificate.serial();
  record.enrolled = now;
  record.certificate_expires = now + validity.lifetime;
  record.last_seen = now;
  const Digest token = sha256(as_bytes(id));
  ledger.add_token(token, id, now + 1h);
  ledger.enrol(token, record, now);
  return device;
}

/// Enrols them in a copy of the ledger, which then takes its place.
std::vector<net::Identity> enrol_devices(const server::ServerHome& home, std::uint32_t count) {
  const test::TemporaryFolder folder(test::folder_in_memory());  // what is synced thousands of times
  const std::filesystem::path draft = folder / "ledger.db";
  server::Ledger::copy(home.ledger_path(), draft);
  std::vector<net::Identity> devices;
  {
    server::Ledger ledger(draft);
    const net::Identity authority = home.authority();
    program::Progress progress("  enrolling " + std::to_string(count) + " devices");
    for (std::uint32_t i = 0; i < count; ++i) {
      devices.push_back(enrolled_device(ledger, authority, "echo-" + std::to_string(i)));
      progress.update(i, count);
    }
  }
  for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(home.ledger_path().string() + part);
  server::Ledger::copy(draft, home.ledger_path());
  return devices;
}

}  // namespace

EchoFleet MeasuredServer::make_home(std::uint64_t parameters, const RoundPlan& plan, std::uint32_t devices) {
  server::ServerConfig config;
  config.listen = {"127.0.0.1", free_port()};
  config.log_level = "warn";
  config.max_connections = std::max(config.max_connections, devices);
  config.address_connections_per_minute = 1'000'000;
  const auto home = server::ServerHome::create(folder_ / "server", config, SystemClock().now());
  Layout layout;
  layout.add("weight", Datatype::fp32, {static_cast<std::int64_t>(parameters)}, Role::trained);
  add_task(home, layout, plan);
  return {config.listen, home.authority().certificate, enrol_devices(home, devices), task_name, layout,
          plan.encoding};
}

MeasuredServer::MeasuredServer(std::uint64_t parameters, const RoundPlan& plan, std::uint32_t devices)
    : fleet_(make_home(parameters, plan, devices)),
      process_("fl-server", {"run", (folder_ / "server").string()}) {
  wait_until_it_listens();
  idle_ = peak_ = anonymous_bytes();
  watcher_ = std::jthread([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      peak_ = std::max(peak_.load(), anonymous_bytes());
      std::this_thread::sleep_for(2ms);
    }
  });
}

MeasuredServer::~MeasuredServer() {
  watcher_ = {};
  process_.signal(SIGTERM);
}

void MeasuredServer::wait_until_it_listens() const {
  boost::asio::io_context context;
  for (int tries = 0; tries < 1000; ++tries) {
    ip::tcp::socket socket(context);
    boost::system::error_code refused;
    socket.connect({ip::address_v4::loopback(), fleet_.server.port}, refused);
    if (!refused) return;
    std::this_thread::sleep_for(10ms);
  }
  throw Error(ErrorCode::unavailable, "fl-server does not listen after ten seconds");
}

std::uint64_t MeasuredServer::anonymous_bytes() const {
  std::ifstream status("/proc/" + std::to_string(process_.id()) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  return 0;
}

}  // namespace fl::bench
