#include "tests/e2e/federation.h"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/parse.hpp>

#include "common/base/files.h"
#include "common/data/motion.h"
#include "common/data/people.h"

namespace fl::test {
namespace {

constexpr const char* motion_data = R"(labels = SEATED,STANDING_UP,WALKING,TURNING,SITTING_DOWN
[data]
format = windows
columns = x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro
label = label
window = 50
step = 25
scale = 0.1019368,0.1019368,0.1019368,1,1,1
)";

bool is_free(std::uint16_t port) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor acceptor(context, boost::asio::ip::tcp::v4());
  acceptor.set_option(boost::asio::ip::tcp::acceptor::reuse_address(true));
  boost::system::error_code taken;
  acceptor.bind({boost::asio::ip::address_v4::loopback(), port}, taken);
  return !taken;
}

/// A port that nobody gets by chance while a server is down: below those that the system gives to
/// connections, and from this process's share of them, so that tests side by side do not meet.
std::uint16_t free_port() {
  constexpr unsigned first = 10'000;
  constexpr unsigned processes = 2'500;
  constexpr unsigned share = 8;
  const unsigned own = first + static_cast<unsigned>(::getpid()) % processes * share;
  static unsigned next = 0;
  for (unsigned tries = 0; tries < share; ++tries) {
    const auto port = static_cast<std::uint16_t>(own + next++ % share);
    if (is_free(port)) return port;
  }
  throw std::runtime_error("no port from " + std::to_string(own) + " on is free");
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

Federation::Federation(const Settings& settings)
    : settings_(settings), people_(settings.people), port_(free_port()) {
  devices_.resize(settings_.devices);
  if (settings_.goal == 0) settings_.goal = settings_.devices;
  if (settings_.minimum == 0) settings_.minimum = settings_.goal;
  if (people_.empty() && settings_.data.empty()) {
    people_ = folder_ / "people";
    MotionPeople people;
    people.count = settings_.devices;
    people.recordings = settings_.recordings;
    write_motion_people(people_, people);
    people.first = settings_.devices + 1;
    people.count = 2;
    people.routine = Routine::complete;
    write_motion_people(people_, people);
  }
  make_server();
}

void Federation::make_server() const {
  output_of("fl-server", {"init", server_home().string(), "--listen", "127.0.0.1:" + std::to_string(port_),
                          "--host", "127.0.0.1", "--metrics", "127.0.0.1:0", "--inference", "127.0.0.1:0"});
  const std::string task = settings_.model + (settings_.data.empty() ? motion_data : settings_.data) +
                           "[round]\ngoal = " + std::to_string(settings_.goal) +
                           "\nminimum = " + std::to_string(settings_.minimum) +
                           "\nrounds = " + std::to_string(settings_.rounds) + "\n" + settings_.more;
  write_file_atomically(folder_.path() / "motion.ini", as_bytes(task));
  output_of("fl-server", {"task", "add", server_home().string(), "motion", "--config",
                          (folder_.path() / "motion.ini").string()});
}

std::filesystem::path Federation::server_home() const {
  return settings_.server_home.empty() ? folder_ / "server" : settings_.server_home;
}

std::filesystem::path Federation::device_home(std::uint32_t device) const {
  return folder_.path() / ("device-" + std::to_string(device));
}

std::vector<std::string> Federation::files_of(std::uint32_t person) const {
  std::vector<std::string> files;
  const Person someone = people_in(people_).at(person);
  for (const auto& file : someone.files) files.push_back(file.string());
  return files;
}

std::string Federation::token() const {
  return without_line_end(output_of("fl-server", {"token", server_home().string()}));
}

void Federation::start_server() {
  server_ = std::make_unique<Process>("fl-server", std::vector<std::string>{"run", server_home().string()});
  server_->wait_for_line("listening on");
}

Ended Federation::stop_server() {
  server_->signal(SIGTERM);
  const Ended ended = server_->wait();
  server_.reset();
  return ended;
}

void Federation::kill_server() {
  server_->kill();
  server_.reset();
}

void Federation::enrol(std::uint32_t device) {
  enrol_with(device, files_of(device));
}

void Federation::enrol_with(std::uint32_t device, const std::vector<std::string>& files) {
  const std::string home = device_home(device).string();
  output_of("fl-client", {"enroll", home, "--token", token(), "--name", "device-" + std::to_string(device)});
  if (files.empty()) return;
  std::vector<std::string> arguments = {"import", home};
  arguments.insert(arguments.end(), files.begin(), files.end());
  output_of("fl-client", arguments);
}

void Federation::start_device(std::uint32_t device) {
  devices_.at(device) =
      std::make_unique<Process>("fl-client", std::vector<std::string>{"run", device_home(device).string()});
}

void Federation::hold_back(std::uint32_t device) {
  start_device(device);
  const auto limit = std::chrono::steady_clock::now() + Process::Seconds(120);
  while (round_state().find("selecting: 1 of ") == std::string::npos) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("no device asked: " + round_state());
  }
  devices_.at(device)->signal(SIGSTOP);
}

void Federation::let_go(std::uint32_t device) {
  devices_.at(device)->signal(SIGCONT);
}

void Federation::kill_device(std::uint32_t device) {
  devices_.at(device)->kill();
  devices_.at(device).reset();
}

void Federation::start_devices() {
  for (std::uint32_t device = 0; device < settings_.devices; ++device) {
    enrol(device);
    start_device(device);
  }
}

void Federation::wait_for_version(std::uint64_t version, Process::Seconds limit) {
  server_->wait_for_line("committed as version " + std::to_string(version) + " ", limit);
}

std::string Federation::round_state() const {
  const boost::json::value status = json_of("fl-server", {"status", server_home().string()});
  return status.at("tasks").at(0).at("round").as_string().c_str();
}

boost::json::array Federation::rounds() const {
  return json_of("fl-server", {"rounds", server_home().string(), "motion"}).as_array();
}

double Federation::accuracy_of(std::uint32_t device, const std::vector<std::uint32_t>& people) const {
  std::vector<std::string> arguments = {"predict", device_home(device).string(), "--output",
                                        (folder_.path() / "answers.jsonl").string()};
  for (const std::uint32_t person : people) {
    for (const std::string& file : files_of(person)) arguments.push_back(file);
  }
  return json_of("fl-client", arguments).at("accuracy").to_number<double>();
}

boost::json::value json_of(const std::string& program, std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  return boost::json::parse(output_of(program, arguments));
}

}  // namespace fl::test
